"""Runs this pip for `python -m pip`. Notebook's kernel."""

import sys

from pip.nachlass_commands import run

sys.exit(run(None))
