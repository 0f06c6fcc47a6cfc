"""Keeps past sums of all slots, for a sliding window.

After every twelfth of the window, the worker that counts next stores the sums in memory
that is shared by fork. The counts since such a moment are exact over all workers,
even if workers are replaced.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable

from nachlass_service.metrics.shared_counters import CELLS, Series, SharedCounters

PARTS = 12
MOMENTS = PARTS + 2
"""Enough moments that, once the window has passed, one is always at least as old."""


class History:
    """Past moments, each with the sums of all cells."""

    def __init__(self, counters: SharedCounters, window_s: float) -> None:
        self._counters = counters
        self._every_s = window_s / PARTS
        memory = memoryview(mmap.mmap(-1, 8 * (1 + MOMENTS * (1 + CELLS))))
        self._values = memory.cast("d")
        for number in range(MOMENTS):
            self._values[self._start(number)] = float("inf")
        self._keep(0)

    def keep(self) -> None:
        """Store the current sums when it is time to."""
        if time.monotonic() < self._values[0] + self._every_s:
            return
        with self._counters.exclusive():
            if time.monotonic() < self._values[0] + self._every_s:  # another worker was first
                return
            stamps = [self._values[self._start(number)] for number in range(MOMENTS)]
            free = [number for number, stamp in enumerate(stamps) if stamp == float("inf")]
            self._keep(free[0] if free else stamps.index(min(stamps)))

    def since(self, window_s: float) -> tuple[Callable[[Series], list[float]], float]:
        """Return the sums at the start of the window, by series, and the seconds since then.

        The start is the latest moment at least `window_s` ago, or else the oldest one.
        """
        now = time.monotonic()
        with self._counters.exclusive():
            stamps = {self._values[self._start(number)]: number for number in range(MOMENTS)}
            old = [stamp for stamp in stamps if stamp <= now - window_s]
            stamp = max(old) if old else min(stamps)
            start = self._start(stamps[stamp]) + 1
            then = self._values[start : start + CELLS].tolist()
        return lambda series: [then[cell] for cell in self._counters.cells(series)], now - stamp

    def _keep(self, number: int) -> None:
        """Store the sums as a moment; the first cell has the time of the latest one."""
        start, totals = self._start(number), self._counters.totals()
        self._values[start + 1 : start + 1 + len(totals)] = totals
        self._values[start] = self._values[0] = time.monotonic()

    @staticmethod
    def _start(number: int) -> int:
        """Return the position of a moment: its time, followed by its sums."""
        return 1 + number * (1 + CELLS)
