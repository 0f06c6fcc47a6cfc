"""Logs rejected requests and the reasons, at a limited rate."""

from __future__ import annotations

import threading
import time

from nachlass_service.base.errors import ServiceError
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.failure import log_rejection

MAX_PER_SECOND = 10
"""The rate limit, so that bad clients do not fill the log; the metrics count all rejections."""


class RejectionLog:
    """The log of a worker's rejections; it is thread-safe."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._lock = threading.Lock()
        self._second, self._written, self._left_out = 0, [0, 0], 0

    def write(self, error: ServiceError, request_id: str, row: int | None = None) -> None:
        """Log a rejection and the number omitted since the last one, within the rate limit.

        Rejections with a cause, which only the log shows, have their own limit.
        """
        second, kind = int(time.monotonic()), error.__cause__ is not None
        with self._lock:
            if second != self._second:
                self._second, self._written = second, [0, 0]
            if self._written[kind] >= MAX_PER_SECOND:
                self._left_out += 1
                return
            self._written[kind] += 1
            left_out, self._left_out = self._left_out, 0
        log_rejection(error, self._bundle, request=request_id, row=row, left_out=left_out or None)
