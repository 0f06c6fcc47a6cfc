"""What compiled files need of the system, and the packages that bring it."""
