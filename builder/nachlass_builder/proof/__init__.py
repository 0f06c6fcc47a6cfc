"""The proof of a bundle by the service, and the description of its predictions."""
