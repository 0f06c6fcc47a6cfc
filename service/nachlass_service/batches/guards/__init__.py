"""Limits on what a file of rows becomes, applied before it is decoded."""
