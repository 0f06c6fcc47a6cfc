"""Shared code of tests and benchmarks: commands, services, packages, indexes, images."""
