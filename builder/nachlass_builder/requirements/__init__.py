"""What a source asks for, from everywhere it may stand; the first pass runs what is computed."""
