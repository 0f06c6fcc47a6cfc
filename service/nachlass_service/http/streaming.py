"""Reads and answers a batch in a thread of its own, through a connection of the loop.

Bodies and answers of batches may be larger than memory, and so are read and sent in
pieces, by a thread that waits for the client.
"""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from nachlass_service.http.interfaces import Client
from nachlass_service.http.phases import DISCARD_S, LEAST_RATE, SILENCE_S, WRITE_S
from nachlass_service.http.request import Request

LATE_S = 0.5
"""What the loop gets to do what is due, after a call has held it up."""
AHEAD_BYTES = 1 << 18
"""Bytes of a body that wait for the thread; beyond, the client has to wait."""


class ClientGoneError(OSError):
    """The client does not send, does not read, or is not there any more."""


class Streamed(io.RawIOBase):
    """The body of a streamed request, and the way for its answer; raises ClientGoneError.

    `feed`, `block` and `unblock` are the loop's; all others the thread's.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, client: Client, request: Request) -> None:
        super().__init__()
        self._loop, self._client, self._request = loop, client, request
        self._has_come, self._may_write = threading.Event(), threading.Event()
        self._may_write.set()
        self._size = 0
        self._waited_s = 0.0
        self.status, self.sent = 0, 0

    # Of the loop.

    @property
    def is_whole(self) -> bool:
        """Whether all of the body is there."""
        return self._request.is_whole

    def feed(self) -> None:
        """Read of the body what there is room for; more has come, or nothing more will."""
        incoming = self._client.incoming
        while incoming.is_waiting and self._has_room:
            incoming.parse_piece()
        if incoming.is_waiting or not self._has_room:
            incoming.pause()
        else:
            incoming.resume()
        if self._request.pieces or self.is_whole or incoming.has_ended:
            self._has_come.set()
        if not self._client.is_open:
            self._may_write.set()

    @property
    def _has_room(self) -> bool:
        return not self.is_whole and sum(map(len, self._request.pieces)) < AHEAD_BYTES

    def block(self) -> None:
        """The client does not take what is written."""
        self._may_write.clear()

    def unblock(self) -> None:
        """The client takes more."""
        self._may_write.set()

    # Of the thread.

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some of what has come, or wait for it; none at the end."""
        pieces = self._request.pieces
        while not pieces:
            if self._request.is_whole:
                return 0
            self._wait()
        piece = pieces.popleft()
        read = piece[: len(buffer)]
        buffer[: len(read)] = read
        if len(read) < len(piece):
            pieces.appendleft(piece[len(read) :])
        self._size += len(read)
        return len(read)

    def throw_away(self) -> None:
        """Read the rest: a client that is not read to the end, for a while, never reads."""
        ends_at = time.monotonic() + DISCARD_S
        while time.monotonic() < ends_at and self.read(1 << 16):
            pass

    def send(self, status: int, head: bytes, pieces: Iterable[bytes], *, chunked: bool) -> None:
        """Send the head, and the body's pieces as they come."""
        self.status = status
        self._write(head)
        for piece in filter(None, pieces):
            self.sent += len(piece)
            self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self._write(b"0\r\n\r\n")

    def _wait(self) -> None:
        """Wait until more of the body has come."""
        self._has_come.clear()
        has_ended = self._client.incoming.has_ended  # asked before what has come until then
        if self._request.pieces or self._request.is_whole:
            return
        if has_ended:
            raise ClientGoneError("the rest of the body does not come")
        self._call(self.feed)
        began_at = time.monotonic()
        if self._has_come.wait(SILENCE_S):
            self._waited_s += time.monotonic() - began_at
        elif not self._comes_late(self._has_come):
            raise ClientGoneError("the body does not come")
        if self._waited_s > SILENCE_S + self._size / LEAST_RATE:
            raise ClientGoneError("the body comes too slowly")

    def _write(self, data: bytes) -> None:
        """Send, and wait until the client has taken most of it."""
        written = threading.Event()

        def write() -> None:
            self._client.write(data)
            written.set()

        self._call(write)
        written.wait()
        if not self._may_write.wait(WRITE_S) and not self._comes_late(self._may_write):
            raise ClientGoneError("the client takes nothing of the answer")
        if not self._client.is_open:
            raise ClientGoneError("the client is gone")

    def _comes_late(self, event: threading.Event) -> bool:
        """Whether an event comes once the loop turns: a call may have held it up."""
        has_turned = threading.Event()
        self._call(has_turned.set)
        has_turned.wait()
        return event.wait(LATE_S)

    def _call(self, work: Callable[[], None]) -> None:
        """Have the loop do something; raises ClientGoneError once it has ended."""
        try:
            self._loop.call_soon_threadsafe(work)
        except RuntimeError as error:
            raise ClientGoneError("the worker has ended") from error
