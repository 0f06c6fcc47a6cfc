"""The builder's code inside a notebook's kernel, hidden from its cells. Notebook's kernel."""
