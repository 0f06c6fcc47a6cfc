"""Shares the number of connections of each worker with all workers.

The kernel gives a new connection to the worker that wakes up first, which may always
be the same one. A worker with more connections than another lets that one accept first.
"""

from __future__ import annotations

import mmap

from nachlass_service.metrics.shared_counters import SLOTS


class Balance:
    """The number of connections of each slot, in memory that is allocated before the fork."""

    def __init__(self) -> None:
        self._cells = memoryview(mmap.mmap(-1, 8 * (1 + SLOTS))).cast("q")
        self._slot = 1  # the first cell has the number of cells in use

    def prepare(self, slot: int) -> None:
        """Reset a slot; called in the master."""
        self._cells[0] = max(self._cells[0], slot + 1)
        self._cells[slot + 1] = 0

    def use(self, slot: int) -> None:
        """Use a slot; called in its worker."""
        self._slot = slot + 1

    def publish(self, connections: int) -> None:
        """Publish the number of connections of this worker."""
        self._cells[self._slot] = connections + 1

    def withdraw(self) -> None:
        """Publish that this worker accepts no more."""
        self._cells[self._slot] = 0

    def has_less_loaded(self, connections: int) -> bool:
        """Return whether an accepting worker has fewer connections than `connections`."""
        used = self._cells[1 : self._cells[0] + 1].tolist()
        return any(0 < cell <= connections for cell in used)
