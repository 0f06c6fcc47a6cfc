"""Shared by all packages of the builder: errors, processes, progress, settings."""
