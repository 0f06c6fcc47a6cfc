"""Buffers received data until it is parsed, and pauses the client meanwhile."""

from __future__ import annotations

import asyncio

from nachlass_service.http.parser import RequestParser

PIECE_BYTES = 1 << 16
"""The bytes that are parsed at once, which limits the pending requests of one client."""


class Incoming:
    """Bytes that wait for the parser; meanwhile the transport should not read more.

    `is_at_end` is true once the client sends nothing more.
    """

    __slots__ = ("_is_closed", "_is_paused", "_parser", "_transport", "_waiting", "is_at_end")

    def __init__(self, parser: RequestParser, transport: asyncio.Transport) -> None:
        self.is_at_end = False
        self._parser, self._transport = parser, transport
        self._waiting = b""
        self._is_paused = self._is_closed = False

    @property
    def is_waiting(self) -> bool:
        """Whether any bytes wait."""
        return bool(self._waiting)

    @property
    def has_ended(self) -> bool:
        """Whether the request that is being read cannot continue."""
        is_at_end = self.is_at_end and not self._waiting
        return bool(is_at_end or self._parser.rejection or self._is_closed)

    @property
    def is_due(self) -> bool:
        """Whether there is work to do before the client sends more."""
        parser = self._parser
        return bool(
            parser.requests
            or parser.request
            or parser.rejection
            or self._waiting
            or self._is_paused
            or self.is_at_end
        )

    def wait(self, data: bytes) -> None:
        """Add data to the buffer."""
        self._waiting += data

    def parse_piece(self) -> None:
        """Parse a piece of the buffer."""
        data, self._waiting = self._waiting[:PIECE_BYTES], self._waiting[PIECE_BYTES:]
        self._parser.feed(data)

    def pause(self) -> None:
        """Stop reading from the client."""
        if not (self._is_paused or self._is_closed):
            self._is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read from the client again."""
        if self._is_paused and not self._is_closed:
            self._is_paused = False
            self._transport.resume_reading()

    def drop(self) -> None:
        """Discard the buffer."""
        self._waiting = b""

    def close(self) -> None:
        """Discard the buffer, and leave the closing transport alone."""
        self._is_closed = True
        self.drop()
