"""Nachlass's service loads a bundle and answers with it, in the model's environment."""

__version__ = "0.1.0"
"""The version of both distributions: the builder carries this file."""
