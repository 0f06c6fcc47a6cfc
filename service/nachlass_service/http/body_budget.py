"""Bounds the bytes of bodies that a worker holds at once."""

from __future__ import annotations

import ctypes
import math

from nachlass_service.base.errors import OverloadedError
from nachlass_service.base.settings import Settings
from nachlass_service.http.request import Request

BODIES = 4
"""Bodies of the maximum size that a worker holds at once."""
LEAST_BYTES = 1 << 26
"""What a worker holds of bodies in any case: a low maximum does not make clients wait."""
TRIMMED_BYTES = 1 << 22
"""So much that was held is given back to the system, once nothing is held any more."""
TRIM_EVERY_S = 10.0
"""At most so often: it takes 50 ms in a process that holds a gigabyte of small objects."""


def most_body_bytes(settings: Settings) -> int:
    """The bytes of bodies that a worker holds at most."""
    return max(LEAST_BYTES, BODIES * settings.max_body_bytes)


class BodyBudget:
    """The bytes of bodies that may be held, for all connections of a worker."""

    __slots__ = ("_lowest", "_trimmed_at", "left", "most")

    def __init__(self, most: int) -> None:
        self.left = self.most = self._lowest = most
        self._trimmed_at = -math.inf

    def take(self, size: int) -> None:
        """Count so many bytes more; raises OverloadedError beyond the limit."""
        if size > self.left:
            detail = f"other requests fill the memory for bodies (limit {self.most} bytes)"
            raise OverloadedError(detail, 1)
        self.left -= size
        self._lowest = min(self._lowest, self.left)

    def give_back(self, request: Request) -> None:
        """Count the body of a request no more."""
        self.left += request.counted_bytes
        request.counted_bytes = 0

    def tick(self, now: float) -> None:
        """Give memory back to the system, which glibc keeps for later."""
        was_filled = self._lowest < self.most - TRIMMED_BYTES
        if was_filled and self.left == self.most and now - self._trimmed_at > TRIM_EVERY_S:
            self._lowest, self._trimmed_at = self.most, now
            if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
                trim(0)
