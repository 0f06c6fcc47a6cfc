"""Resolving, locking and installing what a model needs."""
