"""A parsed request."""

from __future__ import annotations

from collections import deque

from nachlass_service.base.errors import ServiceError


class Request:
    """A request: its head in bytes, header names in lower case, and its body.

    `error` is why it has no body; `id` is its request id. A request that `is_streamed`
    is handed on with its head: its body arrives in `pieces` until it `is_whole`.
    `arrived_at` is in seconds of `time.monotonic`. `counted_bytes` of its body are
    counted in the worker's body budget.
    """

    method = b""
    target = b""
    headers: list[tuple[bytes, bytes]]
    body = b""
    is_old = False
    """Whether it is an HTTP/1.0 request."""
    keep_alive = True
    arrived_at = 0.0
    error: ServiceError | None = None
    id = ""
    route = "none"
    """The label of its route in the metrics."""
    is_streamed = is_whole = False
    pieces: deque[bytes]
    counted_bytes = 0

    def __init__(self) -> None:
        self.headers = []

    def header(self, wanted: bytes) -> str:
        """Return the value of the first header with a name; empty when there is none."""
        for name, value in self.headers:
            if name == wanted:
                return value.decode("latin-1")
        return ""
