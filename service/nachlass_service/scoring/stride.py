"""How many rows of a batch are scored in one turn, between other requests."""

from __future__ import annotations

BATCH_TURN_S = 0.05
"""Seconds that the rows scored in one turn should take at most: others wait meanwhile."""
TURN_BYTES = 1 << 22
"""Nor should their answers be larger."""
FEWEST_ROWS, MOST_ROWS = 16, 4096
"""Rows that are scored at once: in the first batch to begin with, and at most."""
CAUTION = 4
"""The rows of a batch may take so much longer than those of the one before, and still fit."""


class Stride:
    """How many rows of a batch to score next: about as many as fit in a turn.

    It grows step by step in each batch, because its rows may take much longer
    than those before.
    """

    def __init__(self, rows: int = FEWEST_ROWS) -> None:
        self.rows = rows

    def note_size(self, rows: int, size: int) -> None:
        """Take note of how many bytes the answers to so many rows have."""
        self.rows = max(1, min(self.rows, rows * TURN_BYTES // max(1, size)))

    def note(self, rows: int, seconds: float) -> None:
        """Take note of how long so many rows have taken."""
        if seconds > BATCH_TURN_S or rows >= self.rows:
            fitting = int(rows * BATCH_TURN_S / max(seconds, 1e-6))
            self.rows = max(1, min(fitting, CAUTION * rows, MOST_ROWS))

    def first_of_next(self) -> int:
        """How many rows the next batch begins with."""
        return max(1, min(self.rows, MOST_ROWS // 2) // CAUTION)
