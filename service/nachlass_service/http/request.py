"""A request as it was read, whichever connection it came from."""

from __future__ import annotations

from collections import deque

from nachlass_service.base.errors import ServiceError


class Request:
    """A request: its head in bytes, header names in lower case, and its body.

    `error` is why its body is not there; `id` what the log calls it. One that
    `is_streamed` is handed on with its head: its body comes in `pieces`, until
    it `is_whole`. `arrived_at` is a time of `time.monotonic`, in seconds.
    `counted_bytes` of its body are counted against the worker's limit.
    """

    method = b""
    target = b""
    headers: list[tuple[bytes, bytes]]
    body = b""
    is_old = False
    """Whether it is one of HTTP/1.0."""
    keep_alive = True
    arrived_at = 0.0
    error: ServiceError | None = None
    id = ""
    route = "none"
    """What it asks for, as the metrics call it."""
    is_streamed = is_whole = False
    pieces: deque[bytes]
    counted_bytes = 0

    def __init__(self) -> None:
        self.headers = []

    def header(self, wanted: bytes) -> str:
        """A header's value, the first of that name; empty when there is none."""
        for name, value in self.headers:
            if name == wanted:
                return value.decode("latin-1")
        return ""
