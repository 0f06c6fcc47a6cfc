"""The sums of all slots as they were, for a window that slides.

Every twelfth of the window the worker that counts next keeps the sums, in
memory that is shared by fork; counting itself costs no more for it. What was
counted since one of these moments is exact, over all workers, and goes on when
workers come and go.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable

from nachlass_service.metrics.shared_counters import CELLS, Series, SharedCounters

PARTS = 12
MOMENTS = PARTS + 2
"""One that is at least as old as the window is always among them, once there was one."""


class History:
    """Moments of the past, each with the sums of all cells."""

    def __init__(self, counters: SharedCounters, window_s: float) -> None:
        self._counters = counters
        self._every_s = window_s / PARTS
        memory = memoryview(mmap.mmap(-1, 8 * (1 + MOMENTS * (1 + CELLS))))
        self._values = memory.cast("d")
        for number in range(MOMENTS):
            self._values[self._start(number)] = float("inf")
        self._keep(0)

    def keep(self) -> None:
        """Keep the sums as they are, when it is time to."""
        if time.monotonic() < self._values[0] + self._every_s:
            return
        with self._counters.alone():
            if time.monotonic() < self._values[0] + self._every_s:  # another worker was first
                return
            stamps = [self._values[self._start(number)] for number in range(MOMENTS)]
            free = [number for number, stamp in enumerate(stamps) if stamp == float("inf")]
            self._keep(free[0] if free else stamps.index(min(stamps)))

    def since(self, window_s: float) -> tuple[Callable[[Series], list[float]], float]:
        """The sums of a series at the start of the window, and the seconds since then.

        That is the latest moment that is at least `window_s` ago, or else the
        first one there is.
        """
        now = time.monotonic()
        with self._counters.alone():
            stamps = {self._values[self._start(number)]: number for number in range(MOMENTS)}
            old = [stamp for stamp in stamps if stamp <= now - window_s]
            stamp = max(old) if old else min(stamps)
            start = self._start(stamps[stamp]) + 1
            then = self._values[start : start + CELLS].tolist()
        return lambda series: [then[cell] for cell in self._counters.cells(series)], now - stamp

    def _keep(self, number: int) -> None:
        """Keep the sums as moment of this number; the first cell says when the last was kept."""
        start, totals = self._start(number), self._counters.totals()
        self._values[start + 1 : start + 1 + len(totals)] = totals
        self._values[start] = self._values[0] = time.monotonic()

    @staticmethod
    def _start(number: int) -> int:
        """Where a moment is: its time, then its sums."""
        return 1 + number * (1 + CELLS)
