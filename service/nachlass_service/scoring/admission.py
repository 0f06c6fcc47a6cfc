"""Decides whether one more call of the predictor may wait, or is rejected as overloaded."""

from __future__ import annotations

from nachlass_service.base.errors import OverloadedError

SMOOTHING = 0.2
"""The weight of the latest call in the average of what calls take."""
SHORT_WAIT_S = 1.0
"""A queue that is over so soon may have any length."""


class Admission:
    """Knows how fast calls have been lately, and rejects those that would wait too long.

    Times are in seconds.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self.average_s = 0.0

    def note(self, took_s: float, samples: int = 1) -> None:
        """Take note of a call, and of how many samples it has scored."""
        self.average_s += SMOOTHING * (min(took_s, self._limit_s) / samples - self.average_s)

    def wait_s(self, ahead: int, threads: int, running_s: float) -> float:
        """How long a call would wait: so many are ahead, the oldest one runs since `running_s`."""
        return self.average_s * ahead / threads + running_s

    def reject_if_overloaded(self, ahead: int, threads: int, running_s: float) -> None:
        """Raise OverloadedError for a call that would wait too long."""
        wait_s = self.wait_s(ahead, threads, running_s)
        if wait_s > max(SHORT_WAIT_S, self._limit_s):
            raise overloaded(ahead, wait_s)


def overloaded(ahead: int, wait_s: float) -> OverloadedError:
    """What a client is told that would wait too long."""
    return OverloadedError(
        f"{ahead} requests are waiting, for about {wait_s:.0f} s", max(1, round(wait_s / 2))
    )


def not_its_turn(limit_s: float) -> OverloadedError:
    """What a client is told that has waited too long."""
    return OverloadedError(f"the request waited {limit_s:g} s for its turn", max(1, round(limit_s)))
