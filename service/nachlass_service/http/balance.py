"""How many connections each worker has, for all workers to see.

The kernel gives a new connection to whichever worker wakes up first, which may
be the same one each time. A worker that has more than another lets that one go
first.
"""

from __future__ import annotations

import mmap

from nachlass_service.metrics.shared_counters import SLOTS


class Balance:
    """A number of connections for each slot, in memory that is made before the fork."""

    def __init__(self) -> None:
        self._cells = memoryview(mmap.mmap(-1, 8 * (1 + SLOTS))).cast("q")
        self._slot = 1  # the first cell is how many are used

    def prepare(self, slot: int) -> None:
        """Forget the worker that had a slot: the master's part."""
        self._cells[0] = max(self._cells[0], slot + 1)
        self._cells[slot + 1] = 0

    def use(self, slot: int) -> None:
        """Be the worker of this slot."""
        self._slot = slot + 1

    def say(self, connections: int) -> None:
        """Say how many connections this worker has."""
        self._cells[self._slot] = connections + 1

    def leave(self) -> None:
        """Say that this worker takes no more."""
        self._cells[self._slot] = 0

    def is_another_first(self, connections: int) -> bool:
        """Whether a worker that takes connections has fewer than so many."""
        used = self._cells[1 : self._cells[0] + 1].tolist()
        return any(0 < cell <= connections for cell in used)
