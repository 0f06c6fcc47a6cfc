"""Hides uvloop from a process with this folder in its path."""

import sys

sys.modules["uvloop"] = None
