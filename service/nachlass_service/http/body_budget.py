"""Limits the memory for request bodies in a worker."""

from __future__ import annotations

import ctypes
import math

from nachlass_service.base.errors import OverloadedError
from nachlass_service.base.settings import Settings
from nachlass_service.http.request import Request

BODIES = 4
"""The number of bodies of maximum size that a worker holds at once."""
MIN_BYTES = 1 << 26
"""The least memory for bodies, so that a low body limit does not reject parallel requests."""
TRIMMED_BYTES = 1 << 22
"""If bodies took more than this, their memory is returned to the system when none is left."""
TRIM_EVERY_S = 10.0
"""The interval between trims: one takes 50 ms in a process with a gigabyte of small objects."""


def body_memory_limit(settings: Settings) -> int:
    """Return the most bytes of request bodies that a worker holds."""
    return max(MIN_BYTES, BODIES * settings.max_body_bytes)


class BodyBudget:
    """The memory for request bodies of all connections of a worker, in bytes."""

    __slots__ = ("_lowest", "_trimmed_at", "limit", "remaining")

    def __init__(self, limit: int) -> None:
        self.remaining = self.limit = self._lowest = limit
        self._trimmed_at = -math.inf

    def take(self, size: int) -> None:
        """Reserve bytes; raises OverloadedError beyond the limit."""
        if size > self.remaining:
            detail = f"request bodies use too much memory (limit {self.limit} bytes)"
            raise OverloadedError(detail, 1)
        self.remaining -= size
        self._lowest = min(self._lowest, self.remaining)

    def release(self, request: Request) -> None:
        """Release the bytes of a request's body."""
        self.remaining += request.counted_bytes
        request.counted_bytes = 0

    def tick(self, now: float) -> None:
        """Return memory to the system that glibc would keep."""
        was_filled = self._lowest < self.limit - TRIMMED_BYTES
        if was_filled and self.remaining == self.limit and now - self._trimmed_at > TRIM_EVERY_S:
            self._lowest, self._trimmed_at = self.limit, now
            if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
                trim(0)
