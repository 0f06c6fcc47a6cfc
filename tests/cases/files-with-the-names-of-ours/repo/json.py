raise RuntimeError(f"{__file__} was imported, and nobody asked for it")
