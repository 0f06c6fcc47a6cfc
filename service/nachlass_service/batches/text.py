"""Gathers rows of text, some at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Generic, TypeVar

from nachlass_service.base.errors import ServiceError, TooLargeError

BOM = b"\xef\xbb\xbf"
CHUNK_BYTES = 1 << 20
"""Rows of so many bytes are scored even if there could be more of them."""

T = TypeVar("T")


def row_too_long(most_bytes: int) -> TooLargeError:
    """What is said of a row that has more bytes than a row may have."""
    limit = f"limit {most_bytes} bytes, set by S2I_MAX_BODY_BYTES"
    return TooLargeError(f"the row is too long ({limit})")


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
