"""Bounds the bytes of bodies that a worker holds at once."""

from __future__ import annotations

from nachlass_service.base.errors import OverloadedError
from nachlass_service.base.settings import Settings
from nachlass_service.http.request import Request

BODIES = 4
"""Bodies of the maximum size that a worker holds at once."""


def most_body_bytes(settings: Settings) -> int:
    """The bytes of bodies that a worker holds at most."""
    return BODIES * settings.max_body_bytes


class BodyBudget:
    """The bytes of bodies that may be held, for all connections of a worker."""

    __slots__ = ("left", "most")

    def __init__(self, most: int) -> None:
        self.left = self.most = most

    def take(self, size: int) -> None:
        """Count so many bytes more; raises OverloadedError beyond the limit."""
        if size > self.left:
            detail = f"other requests fill the memory for bodies (limit {self.most} bytes)"
            raise OverloadedError(detail, 1)
        self.left -= size

    def give_back(self, request: Request) -> None:
        """Count the body of a request no more."""
        self.left += request.counted_bytes
        request.counted_bytes = 0
