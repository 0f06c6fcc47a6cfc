"""The body of a batch request as a stream."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from werkzeug.exceptions import ClientDisconnected

from nachlass_service.base.errors import SlowBodyError

PIECE_BYTES = 1 << 16


class Body(io.RawIOBase):
    """A request's body; raises SlowBodyError when it is incomplete.

    `length` is its size in bytes, if known; `is_whole` is true once all of it is read.
    """

    def __init__(self, read: Callable[[int], bytes], length: int | None) -> None:
        super().__init__()
        self._read, self._left = read, length
        self._is_broken = False
        self.is_whole = length == 0

    def readable(self) -> bool:
        """Return true."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, unless the body ends first."""
        filled = 0
        while filled < len(buffer) and not self.is_whole:
            data = self._piece(len(buffer) - filled)
            if data is None:
                if filled:
                    break
                raise SlowBodyError("the body ended before it was complete")
            buffer[filled : filled + len(data)] = data
            filled += len(data)
        return filled

    def _piece(self, size: int) -> bytes | None:
        """Return some bytes, empty at the end; None when the body is incomplete."""
        if not self._is_broken:
            try:
                data = self._read(min(size, PIECE_BYTES))
            except (ClientDisconnected, OSError):
                data = None
            if data is not None and (data or not self._left):
                if self._left is not None:
                    self._left -= len(data)
                self.is_whole = not data or self._left == 0
                return data
            self._is_broken = True
        return None
