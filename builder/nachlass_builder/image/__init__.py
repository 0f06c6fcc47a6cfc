"""Container images: `nachlass image`, and what s2i runs in the builder image."""
