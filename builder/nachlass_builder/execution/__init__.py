"""Running the notebooks: kernels, cells, their output and their failures."""
