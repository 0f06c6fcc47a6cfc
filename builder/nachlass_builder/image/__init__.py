"""Container images: `nachlass image`, and what s2i runs in the builder image.

The base image and what is installed in it are in Containerfile and s2i/install-packages.
"""
