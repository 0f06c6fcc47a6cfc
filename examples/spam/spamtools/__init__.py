"""What the notebooks of this repository share: some mail, its clean-up, and their plumbing."""
