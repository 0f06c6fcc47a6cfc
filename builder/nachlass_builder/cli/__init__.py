"""The command line: one module a verb, each of which imports what it needs when it is called."""
