"""The source: where it is, which of its files count, what steers its build."""
