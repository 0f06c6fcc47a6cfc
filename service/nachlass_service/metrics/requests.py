"""Counts requests by what was asked and by the status of the answer, and workers that ended.

A worker notes how many requests it has begun to answer; those of one that has crashed are
lost, and the master counts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from nachlass_service.metrics.shared_counters import Series, SharedCounters

ROUTES = ("predict", "batch", "health", "page", "none")
"""What is asked for; `none` is of what is no request, or not let in."""
STATUSES = tuple(map(int, HTTPStatus))
CELLS_OF_STATUSES = {status: cell for cell, status in enumerate(STATUSES)}
OTHER = len(STATUSES)
"""The cell of a status that has no name."""
REQUESTS: dict[str, Series] = {route: ("requests", route) for route in ROUTES}
IN_PROGRESS: Series = ("in_progress",)
LOST: Series = ("lost",)
GOODBYE: Series = ("goodbye",)
"""In the slot of a worker: whether it ends by itself."""
ENDED: dict[str, Series] = {
    reason: ("ended", reason) for reason in ("crash", "time_limit", "max_requests")
}
"""Why workers have ended that nobody has asked to."""


def known() -> Iterator[tuple[Series, int]]:
    """The series, and the cells of each."""
    for series in REQUESTS.values():
        yield series, len(STATUSES) + 1
    for series in (IN_PROGRESS, LOST, GOODBYE, *ENDED.values()):
        yield series, 1


def count_answer(counters: SharedCounters, route: str, status: int) -> None:
    """Count a request that has been answered."""
    counters.count(REQUESTS[route], CELLS_OF_STATUSES.get(status, OTHER))


def note_end(counters: SharedCounters, slot: int) -> int | None:
    """Count what a worker that has ended has lost; None when it ended by itself."""
    counters.use(slot)  # nobody else has it now
    lost, is_crash = counters.take(IN_PROGRESS), not counters.take(GOODBYE)
    counters.count(LOST, amount=lost)
    if not is_crash:
        return None
    counters.count(ENDED["crash"])
    return int(lost)


def families(prefix: str, rows: Mapping[Series, Sequence[float]]) -> Iterator[Metric]:
    """The families: answers by route and status, and what was lost."""
    requests = CounterMetricFamily(
        f"{prefix}_requests", "Requests by what they ask for.", labels=["route", "status"]
    )
    for route, series in REQUESTS.items():
        for status, count in zip((*map(str, STATUSES), "other"), rows[series], strict=True):
            if count or status == "200":
                requests.add_metric([route, status], count)
    yield requests
    yield GaugeMetricFamily(
        f"{prefix}_requests_in_progress",
        "Requests that are being answered.",
        value=rows[IN_PROGRESS][0],
    )
    yield CounterMetricFamily(
        f"{prefix}_requests_lost", "Requests that a worker took with it.", value=rows[LOST][0]
    )
    ended = CounterMetricFamily(
        f"{prefix}_workers_ended", "Workers that ended unasked.", labels=["reason"]
    )
    for reason, series in ENDED.items():
        ended.add_metric([reason], rows[series][0])
    yield ended
