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


def most_body_bytes(settings: Settings) -> int:
    """Return the most bytes of request bodies that a worker holds."""
    return max(MIN_BYTES, BODIES * settings.max_body_bytes)


class BodyBudget:
    """The memory for request bodies of all connections of a worker, in bytes."""

    __slots__ = ("_lowest", "_trimmed_at", "left", "most")

    def __init__(self, most: int) -> None:
        self.left = self.most = self._lowest = most
        self._trimmed_at = -math.inf

    def take(self, size: int) -> None:
        """Reserve bytes; raises OverloadedError beyond the limit."""
        if size > self.left:
            detail = f"request bodies use too much memory (limit {self.most} bytes)"
            raise OverloadedError(detail, 1)
        self.left -= size
        self._lowest = min(self._lowest, self.left)

    def release(self, request: Request) -> None:
        """Release the bytes of a request's body."""
        self.left += request.counted_bytes
        request.counted_bytes = 0

    def tick(self, now: float) -> None:
        """Return memory to the system that glibc would keep."""
        was_filled = self._lowest < self.most - TRIMMED_BYTES
        if was_filled and self.left == self.most and now - self._trimmed_at > TRIM_EVERY_S:
            self._lowest, self._trimmed_at = self.most, now
            if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
                trim(0)
