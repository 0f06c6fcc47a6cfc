"""Commands that the builder runs: prove a bundle, score samples, try loading it."""
