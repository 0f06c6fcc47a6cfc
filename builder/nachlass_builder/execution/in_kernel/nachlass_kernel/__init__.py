"""What the builder runs inside a notebook's kernel, unseen by its cells. Notebook's kernel."""
