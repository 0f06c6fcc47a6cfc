"""Decides whether another call of the predictor is queued or rejected as overloaded."""

from __future__ import annotations

from nachlass_service.base.errors import OverloadedError

SMOOTHING = 0.2
"""The weight of the latest call in the average duration of calls."""
SHORT_WAIT_S = 1.0
"""A queue with a shorter wait may have any length."""


class Admission:
    """Tracks the duration of recent calls, and rejects calls that would wait too long.

    Times are in seconds.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self.average_s = 0.0

    def note(self, took_s: float, samples: int = 1) -> None:
        """Record a call and the number of samples it scored."""
        self.average_s += SMOOTHING * (min(took_s, self._limit_s) / samples - self.average_s)

    def wait_s(self, ahead: int, threads: int, running_s: float) -> float:
        """Return how long a call would wait; the oldest running call began `running_s` ago."""
        return self.average_s * ahead / threads + running_s

    def reject_if_overloaded(self, ahead: int, threads: int, running_s: float) -> None:
        """Raise OverloadedError for a call that would wait too long."""
        wait_s = self.wait_s(ahead, threads, running_s)
        if wait_s > max(SHORT_WAIT_S, self._limit_s):
            raise overloaded(ahead, wait_s)


def overloaded(ahead: int, wait_s: float) -> OverloadedError:
    """Return the error for a request that would wait too long."""
    return OverloadedError(
        f"{ahead} requests are queued, with an estimated wait of {wait_s:.0f} s",
        max(1, round(wait_s / 2)),
    )


def queued_too_long(limit_s: float) -> OverloadedError:
    """Return the error for a request that has waited too long."""
    return OverloadedError(
        f"the request was queued too long (limit {limit_s:g} s)", max(1, round(limit_s))
    )
