"""Reads and answers a batch in its own thread, through a connection of the loop.

The bodies and responses of batches may be larger than memory, so a thread reads and
sends them in pieces and waits for the client.
"""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from nachlass_service.http.interfaces import Client
from nachlass_service.http.phases import DISCARD_S, MIN_RATE, SILENCE_S, WRITE_S
from nachlass_service.http.request import Request

LATE_S = 0.5
"""The time in which the loop catches up after a call has delayed it."""
AHEAD_BYTES = 1 << 18
"""The most bytes of a body that are buffered for the thread; beyond, the client has to wait."""


class ClientGoneError(OSError):
    """The client does not send, does not read, or has disconnected."""


class Streamed(io.RawIOBase):
    """The body and response of a streamed request; raises ClientGoneError.

    `feed`, `block` and `unblock` are called by the loop, all other methods by the thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, client: Client, request: Request) -> None:
        super().__init__()
        self._loop, self._client, self._request = loop, client, request
        self._has_come, self._may_write = threading.Event(), threading.Event()
        self._may_write.set()
        self._size = 0
        self._waited_s = 0.0
        self.status, self.sent = 0, 0

    # Called by the loop.

    @property
    def is_whole(self) -> bool:
        """Whether the body is complete."""
        return self._request.is_whole

    def feed(self) -> None:
        """Parse more of the body, as far as there is room; called also when it has ended."""
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
        """Stop writing until the client reads."""
        self._may_write.clear()

    def unblock(self) -> None:
        """Continue writing: the client has read."""
        self._may_write.set()

    # Called by the thread.

    def readable(self) -> bool:
        """Return true."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read received data, or wait for some; return 0 at the end."""
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

    def discard_rest(self) -> None:
        """Read the rest for a while: some clients read only after they have sent everything."""
        ends_at = time.monotonic() + DISCARD_S
        while time.monotonic() < ends_at and self.read(1 << 16):
            pass

    def send(self, status: int, head: bytes, pieces: Iterable[bytes], *, chunked: bool) -> None:
        """Send the head, and each piece of the body as it is made."""
        self.status = status
        self._write(head)
        for piece in filter(None, pieces):
            self.sent += len(piece)
            self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self._write(b"0\r\n\r\n")

    def _wait(self) -> None:
        """Wait until more of the body arrives."""
        self._has_come.clear()
        has_ended = self._client.incoming.has_ended  # read before the pieces, to lose none
        if self._request.pieces or self._request.is_whole:
            return
        if has_ended:
            raise ClientGoneError("the body ended before it was complete")
        self._call(self.feed)
        began_at = time.monotonic()
        if self._has_come.wait(SILENCE_S):
            self._waited_s += time.monotonic() - began_at
        elif not self._is_set_late(self._has_come):
            raise ClientGoneError(f"the client stopped sending the body (limit {SILENCE_S} s)")
        if self._waited_s > SILENCE_S + self._size / MIN_RATE:
            raise ClientGoneError("the client sends the body too slowly")

    def _write(self, data: bytes) -> None:
        """Send, and wait until the client has read most of it."""
        written = threading.Event()

        def write() -> None:
            self._client.write(data)
            written.set()

        self._call(write)
        written.wait()
        if not self._may_write.wait(WRITE_S) and not self._is_set_late(self._may_write):
            raise ClientGoneError(f"the client does not read the response (limit {WRITE_S} s)")
        if not self._client.is_open:
            raise ClientGoneError("the client has disconnected")

    def _is_set_late(self, event: threading.Event) -> bool:
        """Return whether an event is set once the loop runs, which a call may have delayed."""
        has_turned = threading.Event()
        self._call(has_turned.set)
        has_turned.wait()
        return event.wait(LATE_S)

    def _call(self, work: Callable[[], None]) -> None:
        """Call `work` in the loop's thread; raises ClientGoneError once the loop has ended."""
        try:
            self._loop.call_soon_threadsafe(work)
        except RuntimeError as error:
            raise ClientGoneError("the worker has ended") from error
