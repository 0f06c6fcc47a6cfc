"""What a source asks for, from everywhere it may stand, before anything runs."""
