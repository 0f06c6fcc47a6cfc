"""Commands for the builder: prove a bundle, score samples, test that it loads."""
