"""Decides whether calls of the predictor are short enough for the loop's thread."""

from __future__ import annotations

import resource
import time
from typing import NamedTuple

SHORT_S = 0.005
"""Shorter calls delay nobody; handing over a call of 1.6 ms would add a fifth to its time."""
LONG_S = 0.02
WATCHED = 8
"""The calls that are measured in detail after a long one."""
SLOW_OF_WATCHED = 3
HELD_UP_S = 0.05
"""A single call with this wall time makes a model slow."""
SHORT_IN_A_ROW, MAX_IN_A_ROW = 8, 4096
"""The short calls in a row in other threads before the loop makes calls again, at first and at
most. The number doubles each time, so a model with a few slow calls stays in other threads."""


class Usage(NamedTuple):
    """The CPU seconds and voluntary context switches of a thread."""

    cpu_s: float
    waits: int


def thread_usage() -> Usage:
    """Return the usage of the calling thread; macOS does not count its context switches."""
    if not hasattr(resource, "RUSAGE_THREAD"):
        return Usage(time.thread_time(), 0)
    found = resource.getrusage(resource.RUSAGE_THREAD)
    return Usage(found.ru_utime + found.ru_stime, found.ru_nvcsw)


class Pace:
    """Classifies a model as fast or slow by the duration of its calls.

    On a busy machine the wall time of a preempted thread says little. So a call is long by
    its CPU time, or by its wall time if it has waited voluntarily. A model counts as slow
    until its calls prove to be fast.
    """

    def __init__(self) -> None:
        self.is_slow = True
        self._watched = 0
        self._slow = 0
        self._short, self._needed = 0, SHORT_IN_A_ROW

    def before(self) -> Usage | None:
        """Return the usage of the loop's thread before a call that is measured in detail."""
        return thread_usage() if self._watched else None

    def note_in_loop(self, wall_s: float, before: Usage | None) -> None:
        """Record a call in the loop's thread."""
        if wall_s > HELD_UP_S:
            self._slow_down()
            return
        if before is None:
            if wall_s > SHORT_S:
                self._watched, self._slow = WATCHED, 0
            return
        after = thread_usage()
        self._watched -= 1
        has_waited = after.waits > before.waits
        if max(after.cpu_s - before.cpu_s, has_waited * wall_s) > SHORT_S:
            self._slow += 1
        if self._slow >= SLOW_OF_WATCHED or (self._slow and wall_s > LONG_S):
            self._slow_down()

    def _slow_down(self) -> None:
        self.is_slow, self._watched, self._short = True, 0, 0
        self._needed = min(2 * self._needed, MAX_IN_A_ROW)

    def note_in_thread(self, wall_s: float) -> None:
        """Record a call in another thread."""
        self._short = self._short + 1 if wall_s < SHORT_S else 0
        if self._short >= self._needed:
            self.is_slow = False
