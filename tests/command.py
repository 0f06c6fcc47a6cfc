"""The command that tests start: as users install it, with nothing of the tests beside it."""

from pathlib import Path

NACHLASS = Path(__file__).parents[1] / ".venv/bin/nachlass"
