"""Reads and answers a request whose connection a thread of its own has.

That is for batches: their bodies and answers may be larger than memory, and so
are read and sent in pieces, by a thread that waits for the client.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterable
from typing import Any

from nachlass_service.http.connection import LEAST_RATE, PATIENCE_S, SILENCE_S, Connection
from nachlass_service.http.request import Request


class Arriving(io.RawIOBase):
    """The body of a streamed request, from a connection that is lent; raises OSError."""

    def __init__(self, connection: Connection, request: Request) -> None:
        super().__init__()
        self._connection, self._request = connection, request
        self._size = 0
        self._waited_s = 0.0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some of what has come, or wait for it; none at the end."""
        request = self._request
        while not request.pieces:
            if request.is_whole:
                return 0
            self._wait()
        piece = request.pieces.popleft()
        read = piece[: len(buffer)]
        buffer[: len(read)] = read
        if len(read) < len(piece):
            request.pieces.appendleft(piece[len(read) :])
        self._size += len(read)
        return len(read)

    def _wait(self) -> None:
        began_at = time.monotonic()
        may_go_on = self._connection.receive()
        self._waited_s += time.monotonic() - began_at
        if not (may_go_on or self._request.pieces or self._request.is_whole):
            raise ConnectionError("the rest of the body does not come")
        if self._waited_s > SILENCE_S + self._size / LEAST_RATE:
            raise TimeoutError("the body comes too slowly")

    def throw_away(self) -> None:
        """Read the rest: a client that is not read to the end, for a while, never reads."""
        ends_at = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends_at and self.read(1 << 16):
            pass


class Answer:
    """An answer on its way, through a connection that is lent; raises OSError."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.status, self.size = 0, 0

    def send(self, status: int, head: bytes, pieces: Iterable[bytes], *, chunked: bool) -> None:
        """Send the head, and the body's pieces as they come."""
        self.status = status
        self._connection.transmit(head)
        for piece in filter(None, pieces):
            self.size += len(piece)
            self._connection.transmit(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self._connection.transmit(b"0\r\n\r\n")
