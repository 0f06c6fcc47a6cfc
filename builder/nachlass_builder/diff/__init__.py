"""Differences between two bundles, for a terminal, a pull request or a program."""
