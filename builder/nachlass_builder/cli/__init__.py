"""The command line, one module per command.

Commands import slow modules only when they run, so that `--help` is quick.
"""
