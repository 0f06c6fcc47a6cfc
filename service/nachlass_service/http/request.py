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

    __slots__ = (
        *("method", "target", "headers", "body", "is_old", "keep_alive"),
        *("arrived_at", "error", "id", "is_streamed", "is_whole", "pieces", "counted_bytes"),
    )

    def __init__(self) -> None:
        self.method = b""
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.is_old = False  # HTTP/1.0
        self.keep_alive = True
        self.arrived_at = 0.0
        self.error: ServiceError | None = None
        self.id = ""
        self.is_streamed = self.is_whole = False
        self.pieces: deque[bytes] = deque()
        self.counted_bytes = 0

    def header(self, wanted: bytes) -> str:
        """A header's value, the first of that name; empty when there is none."""
        for name, value in self.headers:
            if name == wanted:
                return value.decode("latin-1")
        return ""
