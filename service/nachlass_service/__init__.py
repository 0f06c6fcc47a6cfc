"""The Nachlass service: loads a bundle in the model's environment and serves its predictions."""

__version__ = "0.1.0"
"""The version of both distributions: the builder carries this file."""
