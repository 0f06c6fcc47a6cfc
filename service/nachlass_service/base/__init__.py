"""The basis of all other packages: errors, settings, the log."""
