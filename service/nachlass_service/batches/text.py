"""Gathers rows of text into groups."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Generic, TypeVar

from nachlass_service.base.errors import ServiceError, TooLargeError

BOM = b"\xef\xbb\xbf"
CHUNK_BYTES = 1 << 20
"""The bytes of rows after which a group is complete."""

T = TypeVar("T")


def row_too_long(max_bytes: int) -> TooLargeError:
    """Return the error for a row that exceeds the size limit."""
    limit = f"limit {max_bytes} bytes, set by S2I_MAX_BODY_BYTES"
    return TooLargeError(f"the row is too long ({limit})")


class Gatherer(Generic[T]):
    """Takes rows, each with its size in bytes, from an iterator that may raise ServiceError.

    The error is raised after all rows before it have been taken.
    """

    def __init__(self, rows: Iterator[tuple[T, int]]) -> None:
        self._rows = rows
        self._error: ServiceError | None = None

    def take(self, max_rows: int) -> list[T]:
        """Return the next rows; empty at the end."""
        if self._error:
            raise self._error
        rows: list[T] = []
        size = 0
        try:
            for row, row_bytes in islice(self._rows, max_rows):
                rows.append(row)
                size += row_bytes
                if size >= CHUNK_BYTES:
                    break
        except ServiceError as error:
            if not rows:
                raise
            self._error = error
        return rows
