"""What two bundles differ in, for a terminal, a pull request or a program."""
