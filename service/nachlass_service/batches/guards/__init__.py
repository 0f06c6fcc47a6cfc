"""Limits on the decoded size of files, applied before they are decoded."""
