"""The series of every service, and counting in histograms."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from nachlass_service.metrics.shared_counters import Series, SharedCounters

INPUTS = ("inputs",)
SECONDS = ("seconds",)
BATCH_SECONDS = ("batch_seconds",)
ANSWERED = ("answered",)
FAILED = ("failed",)
SECONDS_BOUNDS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
BATCH_SECONDS_BOUNDS = (0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 600.0)


def width_of(bounds: Sequence[float]) -> int:
    """Return the cells of a histogram: a bucket for each bound, one above them, and the sum."""
    return len(bounds) + 2


def observe(
    counters: SharedCounters,
    series: Series,
    bounds: Sequence[float],
    value: float,
    times: int = 1,
) -> None:
    """Add a value to its bucket, and to the sum, which is the row's last cell."""
    counters.count(series, bisect_left(bounds, value), times)
    counters.count(series, len(bounds) + 1, times * value)
