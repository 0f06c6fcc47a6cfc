"""Hides uvloop from a process that has this folder in its path."""

import sys

sys.modules["uvloop"] = None
