"""Parses HTTP/1.1 requests with httptools, and enforces their limits.

Sockets and timeouts belong to the connection.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from http import HTTPStatus

import httptools

from nachlass_service.base.errors import OverloadedError, ServiceError, SlowBodyError, TooLargeError
from nachlass_service.http.body_budget import BodyBudget
from nachlass_service.http.head import (
    HeadError,
    Rejection,
    RequestLimits,
    framing_of,
    too_long,
    without_offer,
)
from nachlass_service.http.request import Request

MAX_HEAD_BYTES = 1 << 17
"""The most bytes of a head, of the data between two pieces of a body, or after a body."""


class RequestParser:
    """Parses one client's requests; `requests` has the pending ones, in order.

    `request` is the one being read; `rejection` is set when nothing after them can be read.
    With `is_last`, data after the last request is ignored; with `is_cut`, that data is the
    rest of its body. A request for which `is_streamed` is true is added to `requests` once
    its head is complete.
    """

    __slots__ = (
        *("requests", "request", "rejection", "is_last", "is_cut", "is_in_head", "size"),
        *("expects_continue", "_limits", "_budget", "_is_streamed", "_http", "_is_offer"),
        *("_headers", "_body", "_between"),
    )

    def __init__(
        self, limits: RequestLimits, budget: BodyBudget, is_streamed: Callable[[Request], bool]
    ) -> None:
        self.requests: deque[Request] = deque()
        self.request: Request | None = None
        self.rejection: Rejection | None = None
        self.is_last = self.is_cut = self.is_in_head = False
        self.expects_continue = self._is_offer = False
        self.size = 0  # of the body being read, in bytes
        self._limits, self._budget, self._is_streamed = limits, budget, is_streamed
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: bytes | bytearray = b""
        self._between = 0
        self._http = httptools.HttpRequestParser(self)

    def feed(self, data: bytes) -> None:
        """Parse data."""
        while data and not (self.is_last or self.rejection):
            data = self._feed(data)

    def end(self) -> None:
        """End the request being read, whose body is incomplete."""
        request = self._reading()
        self._drop_body(request, SlowBodyError("the body ended before it was complete"))
        request.keep_alive = False
        self.is_cut = True
        self._complete(request)

    def close(self) -> None:
        """Stop reading, and discard everything."""
        if self.request is not None:
            self._budget.release(self.request)
        for request in self.requests:
            self._budget.release(request)
        self.requests.clear()
        self.request, self._body, self.is_last = None, b"", True
        del self._http  # breaks a reference cycle

    def _feed(self, data: bytes) -> bytes:
        """Parse data; return the data that has to be parsed again."""
        try:
            self._http.feed_data(data)
        except httptools.HttpParserUpgrade as offered:
            return self._without_offer() + data[offered.args[0] :]
        except httptools.HttpParserCallbackError as error:
            if isinstance(error.__context__, HeadError):
                self._reject(error.__context__.rejection)
            elif not isinstance(error.__context__, _StopParsingError):
                raise
        except httptools.HttpParserError as error:
            if not self.is_last:
                self._reject(Rejection(HTTPStatus.BAD_REQUEST, f"this is not HTTP: {error}"))
        if self.request is not None:
            self._between += len(data)
            if self._between > MAX_HEAD_BYTES:
                detail = f"the head or the trailers are too long (limit {MAX_HEAD_BYTES} bytes)"
                self._reject(too_long(detail).rejection)
        return b""

    def _without_offer(self) -> bytes:
        """Return the head without its Upgrade header, to be parsed again.

        httptools ends a request with an Upgrade header after its head.
        """
        self._is_offer = False
        self._http = httptools.HttpRequestParser(self)
        return without_offer(self._reading())

    # Called by httptools.

    def on_message_begin(self) -> None:
        """Start a request."""
        if self.is_last:
            raise _StopParsingError
        self.request = Request()
        self.is_in_head, self._between, self.size = True, 0, 0
        self._headers, self._body = [], b""

    def on_url(self, url: bytes) -> None:
        """Add a piece of the target."""
        request = self._reading()
        request.target += url
        if len(request.target) > self._limits.line_bytes:
            detail = f"the request target is too long (limit {self._limits.line_bytes} bytes)"
            raise HeadError(HTTPStatus.REQUEST_URI_TOO_LONG, detail)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header; trailers are ignored."""
        if self.is_in_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Check the complete head."""
        request, http = self._reading(), self._http
        self.is_in_head = False
        request.headers = self._headers
        request.method = http.get_method()
        version = http.get_http_version()
        if version != "1.1":
            if version != "1.0":
                raise HeadError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "use HTTP/1.1")
            request.is_old = True
        if http.should_upgrade():
            if request.method == b"CONNECT":
                raise HeadError(HTTPStatus.METHOD_NOT_ALLOWED, "this is not a proxy")
            self._is_offer = True
            return
        request.keep_alive = http.should_keep_alive()
        length, self.expects_continue = framing_of(request, self._limits)
        if self._is_streamed(request):
            self._begin_stream(request)
        elif length > self._limits.body_bytes:
            self._drop_body(request, self._too_large())
            if self.expects_continue:  # the client has not sent the body yet
                self.expects_continue = request.keep_alive = False
                self.is_cut = True
                self._complete(request)
                raise _StopParsingError

    def _begin_stream(self, request: Request) -> None:
        """Hand a request on before its body is complete."""
        request.is_streamed, request.pieces = True, deque()
        request.arrived_at = time.monotonic()
        self.requests.append(request)

    def on_body(self, piece: bytes) -> None:
        """Add a piece of the body."""
        request = self._reading()
        self._between = 0
        self.size += len(piece)
        if request.is_streamed:
            if piece:  # an empty piece would look like the end
                request.pieces.append(piece)
        elif request.error is None:
            self._keep(request, piece)

    def _keep(self, request: Request, piece: bytes) -> None:
        if self.size > self._limits.body_bytes:
            self._drop_body(request, self._too_large())
            return
        if not self._body:  # most bodies are one piece, which is not worth counting
            self._body = piece
            return
        try:
            self._budget.take(self.size - request.counted_bytes)
        except OverloadedError as error:
            self._drop_body(request, error)
            return
        request.counted_bytes = self.size
        if isinstance(self._body, bytes):  # one large block returns to the system sooner
            self._body = bytearray(self._body)
        self._body += piece

    def on_message_complete(self) -> None:
        """Complete the request."""
        if self._is_offer:
            return
        request = self._reading()
        request.body = bytes(self._body)
        self._complete(request)

    def _complete(self, request: Request) -> None:
        self.request, self._body = None, b""
        self.is_last = not request.keep_alive
        if request.is_streamed:
            request.is_whole = True
        else:
            request.arrived_at = time.monotonic()
            self.requests.append(request)

    def _reading(self) -> Request:
        if self.request is None:
            raise _StopParsingError
        return self.request

    def _too_large(self) -> TooLargeError:
        return TooLargeError(f"the body is too large (limit {self._limits.body_bytes} bytes)")

    def _drop_body(self, request: Request, error: ServiceError | None) -> None:
        """Discard the body read so far; the rest is read and discarded."""
        request.error = request.error or error
        self._body = b""
        self._budget.release(request)

    def _reject(self, rejection: Rejection) -> None:
        """Stop reading, and discard the request being read."""
        self.rejection = self.rejection or rejection
        if self.request is not None:
            self._drop_body(self.request, None)
            self.request = None


class _StopParsingError(Exception):
    """Stops httptools."""
