"""Container images: `nachlass image`, and the commands that s2i runs in the builder image.

Containerfile and s2i/install-packages define the base image and its packages.
"""
