"""The proof of a bundle by the service, and what it shows of the predictions."""
