"""Resolving, locking and installing the packages of a model."""
