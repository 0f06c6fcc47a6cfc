"""Counts requests by route and status, and ended workers.

Each worker counts its requests in progress; when it crashes they are lost, and the master
counts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from nachlass_service.metrics.shared_counters import Series, SharedCounters

ROUTES = ("predict", "batch", "health", "page", "none")
"""The routes; `none` is for malformed requests and rejected connections."""
STATUSES = tuple(map(int, HTTPStatus))
CELLS_OF_STATUSES = {status: cell for cell, status in enumerate(STATUSES)}
OTHER = len(STATUSES)
"""The cell of unknown statuses."""
REQUESTS: dict[str, Series] = {route: ("requests", route) for route in ROUTES}
IN_PROGRESS: Series = ("in_progress",)
LOST: Series = ("lost",)
CLEAN_EXIT: Series = ("goodbye",)
"""In the slot of a worker: whether it exits regularly."""
ENDED: dict[str, Series] = {
    reason: ("ended", reason) for reason in ("crash", "time_limit", "max_requests")
}
"""The reasons of worker exits other than a shutdown or reload."""


def known() -> Iterator[tuple[Series, int]]:
    """Yield the series, with the number of cells of each."""
    for series in REQUESTS.values():
        yield series, len(STATUSES) + 1
    for series in (IN_PROGRESS, LOST, CLEAN_EXIT, *ENDED.values()):
        yield series, 1


def count_answer(counters: SharedCounters, route: str, status: int) -> None:
    """Count an answered request."""
    counters.count(REQUESTS[route], CELLS_OF_STATUSES.get(status, OTHER))


def note_end(counters: SharedCounters, slot: int) -> int | None:
    """Count an ended worker; return the requests lost in a crash, None for a regular exit."""
    counters.use(slot)  # no worker uses it now
    lost, is_crash = counters.take(IN_PROGRESS), not counters.take(CLEAN_EXIT)
    counters.count(LOST, amount=lost)
    if not is_crash:
        return None
    counters.count(ENDED["crash"])
    return int(lost)


def families(prefix: str, rows: Mapping[Series, Sequence[float]]) -> Iterator[Metric]:
    """Yield the families of requests and ended workers."""
    requests = CounterMetricFamily(
        f"{prefix}_requests", "Requests by route and status.", labels=["route", "status"]
    )
    for route, series in REQUESTS.items():
        for status, count in zip((*map(str, STATUSES), "other"), rows[series], strict=True):
            if count or status == "200":
                requests.add_metric([route, status], count)
    yield requests
    yield GaugeMetricFamily(
        f"{prefix}_requests_in_progress",
        "Requests in progress.",
        value=rows[IN_PROGRESS][0],
    )
    yield CounterMetricFamily(
        f"{prefix}_requests_lost", "Requests lost in worker crashes.", value=rows[LOST][0]
    )
    ended = CounterMetricFamily(
        f"{prefix}_workers_ended",
        "Worker exits other than a shutdown or reload.",
        labels=["reason"],
    )
    for reason, series in ENDED.items():
        ended.add_metric([reason], rows[series][0])
    yield ended
