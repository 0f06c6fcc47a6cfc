"""Decides whether calls of the predictor are short enough for the loop's own thread."""

from __future__ import annotations

import resource
import time
from typing import NamedTuple

SHORT_S = 0.005
"""A call that ends so soon holds up nobody; to hand over one of 1.6 ms costs a fifth of it."""
LONG_S = 0.02
WATCHED = 8
"""Calls that are measured in detail after one that was long."""
SLOW_OF_WATCHED = 3
HELD_UP_S = 0.05
"""One call that takes so long by the clock is enough, whatever it did."""
SHORT_IN_A_ROW, MOST_IN_A_ROW = 8, 4096
"""Calls outside of the loop that have to be short before it makes them again: at first, and at
most; twice as many each time, so that a model of which few calls are slow stays there."""


class Used(NamedTuple):
    """What a thread has used: seconds of CPU, and how often it has waited of its own accord."""

    cpu_s: float
    waits: int


def used_by_this_thread() -> Used:
    """What the calling thread has used so far; macOS does not say how often it has waited."""
    if not hasattr(resource, "RUSAGE_THREAD"):
        return Used(time.thread_time(), 0)
    found = resource.getrusage(resource.RUSAGE_THREAD)
    return Used(found.ru_utime + found.ru_stime, found.ru_nvcsw)


class Pace:
    """Whether calls are slow, judged by what they take.

    A thread that was only preempted did not wait of its own accord: on a busy machine what
    it took by the clock says little. So a call is long by its CPU time, or by the clock if
    it has waited. Until a model has shown that it is fast it counts as slow.
    """

    def __init__(self) -> None:
        self.is_slow = True
        self._watched = 0
        self._slow = 0
        self._short, self._needed = 0, SHORT_IN_A_ROW

    def before(self) -> Used | None:
        """What the loop's thread has used before a call, if the call is measured in detail."""
        return used_by_this_thread() if self._watched else None

    def note_here(self, wall_s: float, before: Used | None) -> None:
        """Judge a call in the loop's thread."""
        if wall_s > HELD_UP_S:
            self._slow_down()
            return
        if before is None:
            if wall_s > SHORT_S:
                self._watched, self._slow = WATCHED, 0
            return
        after = used_by_this_thread()
        self._watched -= 1
        has_waited = after.waits > before.waits
        if max(after.cpu_s - before.cpu_s, has_waited * wall_s) > SHORT_S:
            self._slow += 1
        if self._slow >= SLOW_OF_WATCHED or (self._slow and wall_s > LONG_S):
            self._slow_down()

    def _slow_down(self) -> None:
        self.is_slow, self._watched, self._short = True, 0, 0
        self._needed = min(2 * self._needed, MOST_IN_A_ROW)

    def note_outside(self, wall_s: float) -> None:
        """Judge a call that was made in another thread."""
        self._short = self._short + 1 if wall_s < SHORT_S else 0
        if self._short >= self._needed:
            self.is_slow = False
