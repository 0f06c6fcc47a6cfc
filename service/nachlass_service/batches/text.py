"""Gathers rows of text, some at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Generic, TypeVar

from nachlass_service.base.errors import ServiceError

BOM = b"\xef\xbb\xbf"
CHUNK_BYTES = 1 << 20
"""Rows of so many bytes are scored even if there could be more of them."""

T = TypeVar("T")


class Gatherer(Generic[T]):
    """Takes rows, each with its size in bytes, from an iterator that may end with a ServiceError.

    It is raised when there are no rows before it any more.
    """

    def __init__(self, rows: Iterator[tuple[T, int]]) -> None:
        self._rows = rows
        self._error: ServiceError | None = None

    def take(self, most_rows: int) -> list[T]:
        """The next rows; none at the end."""
        if self._error:
            raise self._error
        taken: list[T] = []
        size = 0
        try:
            for row, row_bytes in islice(self._rows, most_rows):
                taken.append(row)
                size += row_bytes
                if size >= CHUNK_BYTES:
                    break
        except ServiceError as error:
            if not taken:
                raise
            self._error = error
        return taken
