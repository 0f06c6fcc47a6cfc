"""Nachlass's service loads a bundle and answers with it. Model environment."""

__version__ = "0.1.0"
