"""One client's connection: HTTP/1.1 in and out, over httptools.

It reads requests whole, hands them on one after the other, and lets go of a
client that is too slow, or sends what is no HTTP. It never waits.
"""

from __future__ import annotations

import math
import select
import socket
from collections import deque
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Protocol

import httptools

from nachlass_service.base.errors import ServiceError, SlowBodyError, TooLargeError
from nachlass_service.http.loop import Loop
from nachlass_service.http.request import Request

SILENCE_S = 10
"""The time for a request's head, and for each silence in the middle of its body."""
LEAST_RATE = 1 << 14
"""Bytes a second that a body has to come at, if it takes longer than a silence may."""
PATIENCE_S = 5
"""How long the rest of a body that is too large is read, and thrown away."""
LINGER_S = 2
"""How long a client may take to read the last answer: what it still sends is thrown away."""
PIECE_BYTES = 1 << 16
MOST_HEAD_BYTES = 1 << 17

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
GONE = select.EPOLLHUP | select.EPOLLERR
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Face(Protocol):
    """What a connection hands its requests on to, and its limits."""

    loop: Loop
    max_body_bytes: int
    keep_alive_s: float
    line_bytes: int
    field_bytes: int
    fields: int

    def is_streamed(self, request: Request) -> bool:
        """Whether to hand a request on before its body is there."""

    def handle(self, connection: Connection, request: Request) -> None:
        """Answer a request, now or later."""

    def refuse(self, connection: Connection, status: int, detail: str) -> None:
        """Answer what is no request, and close."""

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""

    def defect(self, error: Exception) -> None:
        """Say that something went wrong that should not, and cost a client its connection."""


class Connection:
    """A client; all methods are the leader's, unless the connection is lent."""

    def __init__(self, sock: socket.socket, peer: Any, face: Face) -> None:
        self.peer = peer
        self.is_open = True
        self.deadline = face.loop.now + SILENCE_S
        self._socket = sock
        self._fd = sock.fileno()
        self._face, self._loop = face, face.loop
        self._parser = httptools.HttpRequestParser(self)
        self._requests: deque[Request] = deque()
        self._request: Request | None = None  # that is being read
        self._is_head = False
        self._head_bytes = 0
        self._pieces: list[bytes] = []
        self._size = 0
        self._begun_at = 0.0
        self._wrong: tuple[int, str] | None = None  # that the rest is no HTTP
        self._is_busy = False
        self._is_last = False  # nothing after the current request is read
        self._unread = b""
        self._out = bytearray()
        self._closes = False
        self._lingers = False
        self._events = READ
        self._loop.add(self._fd, self._happened)

    @property
    def server(self) -> Any:
        """The address that the client has connected to; nothing once it is closed."""
        return self._socket.getsockname() if self.is_open else ""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked, or on its way out."""
        return not (self._is_busy or self._request or self._out or self._lingers)

    @property
    def is_being_answered(self) -> bool:
        """Whether a request has been handed on, and its answer has not come yet."""
        return self._is_busy

    def turn_away(self, status: int, detail: str) -> None:
        """Answer so, whatever is asked, and close."""
        self._wrong = (status, detail)
        self.go_on()

    def answer(self, response: bytes, *, close: bool) -> None:
        """Send the answer to the current request."""
        self._is_busy = False
        self._closes = self._closes or close
        self._send(response)

    def go_on(self) -> None:
        """Hand on what has been read and is not being answered yet."""
        while self.is_open and not (self._is_busy or self._out or self._lingers):
            if self._closes:
                self._linger()
            elif self._requests:
                request = self._requests.popleft()
                self._is_busy = True
                self.deadline = math.inf
                self._face.handle(self, request)
            elif self._wrong:
                self._is_busy = True
                self._face.refuse(self, *self._wrong)
            elif self._unread:
                data, self._unread = self._unread, b""
                self._parse(data)
            elif self._is_last:
                self._closes = True
            else:
                if self.deadline == math.inf:
                    may_take_s = SILENCE_S if self._request else self._face.keep_alive_s
                    self.deadline = self._loop.now + may_take_s
                self._look(READ)
                return

    def lend(self) -> None:
        """Leave the loop for the current request: only a thread of its own uses us until the end.

        It calls `receive` and `transmit`, which wait, and raise OSError.
        """
        self._loop.remove(self._fd)
        self._socket.settimeout(SILENCE_S)

    def take_back(self, *, close: bool) -> None:
        """Go on in the loop after the current request has been answered."""
        self._socket.settimeout(0)
        self._events = READ
        self._loop.add(self._fd, self._happened)
        self.answer(b"", close=close)
        self.go_on()

    def receive(self) -> bool:
        """Wait for more of what a streamed request consists of; whether still more may come."""
        data, self._unread = self._unread, b""
        if not (data or self._is_last):
            data = self._socket.recv(PIECE_BYTES)
        if data:
            self._parse(data)
        else:
            self._is_last = True
        return self._request is not None and not self._is_last

    def transmit(self, data: bytes) -> None:
        """Send, and wait until the client has taken it."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._socket.send(rest[:PIECE_BYTES]) :]

    def pass_deadline(self) -> None:
        """Let go of a client that has been waited for in vain."""
        request = self._request
        if self._out or self._lingers or request is None or self._is_head:
            self.close()
        elif request.error is None:
            self._end_body(SlowBodyError("the body ended before it was complete"))
        else:
            self._end_body(request.error)

    def close(self) -> None:
        """Close, whatever is going on."""
        if not self.is_open:
            return
        self.is_open = False
        self._loop.remove(self._fd)
        with suppress(OSError):  # a fork of the user's may have the socket, too
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        del self._parser  # it refers to us
        self._requests.clear()
        self._face.closed(self)

    def _happened(self, events: int) -> None:
        """What the loop calls."""
        try:
            self._deal_with(events)
        except Exception as error:  # noqa: BLE001 - the others' connections go on
            self._face.defect(error)
            self.close()

    def _deal_with(self, events: int) -> None:
        if events & WRITE and self._out:
            out, self._out = self._out, bytearray()
            self._send(out)
            self.go_on()
        elif events & READ:
            try:
                data = self._socket.recv(PIECE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                self.close()
                return
            self._received(data)
        elif events & GONE:
            self.close()

    def _received(self, data: bytes) -> None:
        if self._lingers:
            if not data:
                self.close()
        elif not data:
            self._is_last = True
            self._look(0)
            if self._request is not None and not self._is_head:
                self._end_body(SlowBodyError("the body ended before it was complete"))
            elif self._request is not None or self.is_idle:
                self.close()
        elif self._is_busy or self._out:
            self._unread = data
            self._look(0)
        else:
            self._parse(data)
            self.go_on()

    def _parse(self, data: bytes) -> None:
        """Read requests out of what has come."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as offered:
            self._decline(data[offered.args[0] :])
        except httptools.HttpParserError as error:
            if self._wrong is None:
                self._wrong = (HTTPStatus.BAD_REQUEST, f"this is not HTTP: {error}")
            self._request = None
        if self._request is not None:
            self._head_bytes += len(data)  # and of trailers: `on_body` begins anew
            if self._head_bytes > MOST_HEAD_BYTES:
                self._request = None
                self._wrong = (431, "the header, or what comes behind the body, is too long")

    def _decline(self, remaining: bytes) -> None:
        """Go on with HTTP although the client offers another protocol, as it may be told to."""
        request = self._requests.pop()
        if request.method == b"CONNECT":
            request.keep_alive = False
            self._requests.append(request)
            return
        # The parser takes the request to end with its head: parse it without the offer.
        kept = [(n, v) for n, v in request.headers if n not in (b"upgrade", b"connection")]
        lines = b"".join(b"%b: %b\r\n" % header for header in kept)
        version = b"1.0" if request.is_old else b"1.1"
        self._parser = httptools.HttpRequestParser(self)
        self._parse(
            b"%b %b HTTP/%b\r\n%b\r\n" % (request.method, request.target, version, lines)
            + remaining
        )

    # What the parser calls.

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._is_last:
            raise _NoMoreError
        self._request = Request()
        self._request.pieces = deque()
        self._is_head, self._head_bytes = True, 0
        self._pieces, self._size = [], 0
        self._begun_at = self._loop.now
        if not self._is_busy:
            self.deadline = self._begun_at + SILENCE_S

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        request = self._reading()
        request.target += url
        if len(request.target) > self._face.line_bytes:
            self._fail(414, f"the target is longer than {self._face.line_bytes} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        headers = self._reading().headers
        if len(name) + len(value) > self._face.field_bytes:
            self._fail(431, f"a header is longer than {self._face.field_bytes} bytes")
        if len(headers) >= self._face.fields:
            self._fail(431, f"there are more than {self._face.fields} headers")
        if self._is_head:  # nothing that comes behind the body counts
            lowered = name.lower()
            if lowered == b"host" and self._reading().header(b"host"):
                self._fail(400, "there are two Host headers")
            headers.append((lowered, value))

    def on_headers_complete(self) -> None:
        """The head is there."""
        request, parser = self._reading(), self._parser
        self._is_head = False
        request.method = parser.get_method()
        request.is_old = parser.get_http_version() == "1.0"
        request.keep_alive = parser.should_keep_alive()
        coding = request.header(b"transfer-encoding").lower()
        if coding not in ("", "chunked"):
            self._fail(501, f"the transfer coding {coding} is not known here")
        request.is_streamed = self._face.is_streamed(request)
        declared = "" if request.is_streamed else request.header(b"content-length")
        if declared.isdecimal() and int(declared) > self._face.max_body_bytes:
            self._too_large()
        if request.header(b"expect").lower() == "100-continue" and not request.is_old:
            if request.error:  # it asked before sending
                request.keep_alive = False
                self.on_message_complete()
                raise _NoMoreError
            if not (self._is_busy or self._requests):
                self._send(CONTINUE)
        if request.is_streamed:
            request.arrived_at = self._loop.now
            self._requests.append(request)

    def on_body(self, piece: bytes) -> None:
        """A piece of the body."""
        request = self._reading()
        self._head_bytes = 0
        if request.is_streamed:
            if piece:  # the parser has empty ones, too, which would look like an end
                request.pieces.append(piece)
            return
        self._size += len(piece)
        now = self._loop.now
        if request.error is None:
            if self._size > self._face.max_body_bytes:
                self._too_large()
            else:
                self._pieces.append(piece)
                slowest = self._begun_at + SILENCE_S + self._size / LEAST_RATE
                self.deadline = min(now + SILENCE_S, slowest)

    def on_message_complete(self) -> None:
        """The request is there."""
        request = self._reading()
        self._request = None
        if not request.keep_alive:
            self._is_last = True
        if request.is_streamed:
            request.is_whole = True
            return
        request.body = b"".join(self._pieces)
        self._pieces = []
        request.arrived_at = self._loop.now
        self._requests.append(request)

    def _reading(self) -> Request:
        if self._request is None:
            raise _NoMoreError
        return self._request

    def _fail(self, status: int, detail: str) -> None:
        self._wrong = (status, detail)
        raise _NoMoreError

    def _too_large(self) -> None:
        """Throw the body away; a client that is not read to the end, for a while, never reads."""
        request = self._reading()
        request.error = TooLargeError(f"at most {self._face.max_body_bytes} bytes are taken")
        self._pieces = []
        self.deadline = self._loop.now + PATIENCE_S

    def _end_body(self, error: ServiceError) -> None:
        """Go on with a request whose body does not come."""
        request = self._reading()
        self._request = None
        request.error = error
        request.keep_alive = False
        self._is_last = True
        if not request.is_streamed:
            request.arrived_at = self._loop.now
            self._requests.append(request)
        self.go_on()

    def _send(self, data: bytes | bytearray) -> None:
        """Send what the client takes, and keep the rest until it takes more."""
        if self._out:
            self._out += data
            return
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        if sent < len(data):
            self._out = bytearray(memoryview(data)[sent:])
            self.deadline = self._loop.now + SILENCE_S
            self._look(WRITE)
        elif self._events & WRITE:
            self.deadline = math.inf
            self._look(READ)

    def _linger(self) -> None:
        """Close once the client has read everything: before, it might lose the answer."""
        self._lingers = True
        self.deadline = self._loop.now + LINGER_S
        self._look(READ)
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()

    def _look(self, events: int) -> None:
        """Look at these events, and at no others, from now on."""
        if self.is_open and events != self._events:
            self._events = events
            self._loop.modify(self._fd, events)


class _NoMoreError(Exception):
    """Ends the parser's work."""
