"""The notebook runs: kernels, cells, their output and their failures."""
