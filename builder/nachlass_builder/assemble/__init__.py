"""The whole build, of which `build` is the first file to read."""
