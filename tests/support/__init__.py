"""What tests and benchmarks share: commands, services, packages, indexes, images."""
