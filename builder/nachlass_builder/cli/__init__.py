"""The command line: one module a verb.

A verb imports what takes long to import when it is called, so that `--help` is quick.
"""
