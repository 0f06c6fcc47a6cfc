"""System libraries that compiled files need, and the packages that provide them."""
