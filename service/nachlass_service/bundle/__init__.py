"""Reads a bundle: manifest, model, samples, JSON."""
