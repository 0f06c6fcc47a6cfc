"""Finds the route of a request by its method and its target."""

from __future__ import annotations

from enum import Enum

from nachlass_service.batches.formats import is_batch
from nachlass_service.http.request import Request
from nachlass_service.http.wsgi import path_of

JSON_TYPE = "application/json"


class Route(Enum):
    """A route, and its label in the metrics."""

    def __init__(self, _number: int, metric: str) -> None:
        self.metric = metric

    PREDICT = 1, "predict"
    BATCH = 2, "batch"
    LIVE = 3, "health"
    READY = 4, "health"
    PAGE = 5, "page"
    """All other requests: the Flask application answers them."""


FREQUENT = {
    (b"POST", b"/predict"): Route.PREDICT,
    (b"GET", b"/livez"): Route.LIVE,
    (b"GET", b"/readyz"): Route.READY,
}


def route_of(request: Request) -> Route:
    """Return the route of a request whose head has been read."""
    if request.is_streamed:
        return Route.BATCH
    found = FREQUENT.get((request.method, request.target))
    if found is None and request.method == b"POST" and _is_predict(request.target):
        return Route.PREDICT
    return found or Route.PAGE


def is_streamed(request: Request) -> bool:
    """Return whether a request is a batch, whose body may be larger than memory."""
    if request.method != b"POST":
        return False
    content_type = request.header(b"content-type")
    return (
        content_type != JSON_TYPE  # a fast check for the most frequent type
        and is_batch(content_type)
        and _is_predict(request.target)
    )


def _is_predict(target: bytes) -> bool:
    return path_of(target).rstrip(b"/") == b"/predict"
