"""The bundle as the service reads it: manifest, model, samples, JSON."""
