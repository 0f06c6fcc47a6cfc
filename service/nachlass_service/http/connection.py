"""A client's connection, on a transport of asyncio or uvloop.

It reads requests, hands them to the handler one by one, writes the responses, and closes
the connection of a client that is too slow. It never blocks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from nachlass_service.http.head import Rejection
from nachlass_service.http.incoming import Incoming
from nachlass_service.http.interfaces import Endpoints, Handler, Stream
from nachlass_service.http.parser import RequestParser
from nachlass_service.http.phases import (
    ANSWERING,
    BODY,
    CLOSING,
    IDLE,
    LINGERING,
    STREAMING,
    WRITING,
    Phased,
)
from nachlass_service.http.request import Request

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


Callback = Callable[["Connection"], None]


class Connection(Phased, asyncio.Protocol):
    """A client's connection; all methods run in the loop's thread.

    `opened` and `closed` are called with it.
    """

    __slots__ = (
        *("_closed", "_handler", "_is_advancing", "_is_full", "_opened", "_parser", "_stream"),
        *("_transport", "incoming", "request"),
    )

    def __init__(self, handler: Handler, opened: Callback, closed: Callback) -> None:
        super().__init__(handler.keep_alive_s)
        self.incoming = cast("Incoming", None)
        self.request: Request | None = None  # the one that is being answered
        self._handler, self._opened, self._closed = handler, opened, closed
        self._parser = RequestParser(handler.limits, handler.budget, handler.is_streamed)
        self._transport = cast("asyncio.Transport", None)
        self._is_advancing = False
        self._is_full = False  # the client does not read fast enough
        self._stream: Stream | None = None

    @property
    def endpoints(self) -> Endpoints:
        """The addresses of the client and the server."""
        info = self._transport.get_extra_info
        return Endpoints(info("peername"), info("sockname"), info("sslcontext") is not None)

    def answer(self, response: bytes, *, close: bool) -> None:
        """Send the response to the current request, and continue with the next."""
        if self.request is not None:
            self._handler.budget.release(self.request)
            self.request = None
        if not self.is_open:
            return
        self._transport.write(response)
        if close:
            self._finish()
        elif self._is_full:
            self.enter(WRITING, self._transport.get_write_buffer_size())
        else:
            self.enter(IDLE)
            if not self._is_advancing and self.incoming.is_due:
                self._advance()

    def stream(self, stream: Stream) -> None:
        """Hand the current request to a thread; its body may already be complete."""
        self._stream = stream
        self.enter(STREAMING)
        if self._parser.expects_continue and not stream.is_whole:
            self._transport.write(CONTINUE)
        stream.feed()

    def write(self, data: bytes) -> None:
        """Send a piece of a streamed response."""
        if self.phase is STREAMING:
            self._transport.write(data)

    def end_stream(self, *, close: bool) -> None:
        """Continue with the next request."""
        self._stream = None
        if self.phase is STREAMING:
            self.enter(ANSWERING)
            self.answer(b"", close=close)

    def reject(self, status: int, detail: str) -> None:
        """Answer with this status, regardless of the request, and close."""
        self._parser.rejection = Rejection(status, detail)
        self._advance()

    def close(self) -> None:
        """Close once all written data is sent."""
        if self.phase is not CLOSING:
            self._stop_reading()
            self._transport.close()

    def abort(self) -> None:
        """Close and drop unsent data; `close` would wait for a client that does not read."""
        self._stop_reading()
        self._transport.abort()

    def pass_deadline(self) -> None:
        """End the request or connection of a client that is too slow."""
        if self.phase is BODY:
            self._parser.end()
            self._advance()
        elif self.phase is IDLE:
            self.close()
        elif not self.expect_reader(self._transport.get_write_buffer_size()):
            self.abort()

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start with a client; with TLS, after the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        self.incoming = Incoming(self._parser, self._transport)
        self._opened(self)

    def data_received(self, data: bytes) -> None:
        """Parse the data, or keep it while another request is answered."""
        if self.phase is LINGERING:
            return
        self.incoming.wait(data)
        if self._stream:
            self._stream.feed()
            return
        self._advance()
        if self.incoming.is_waiting:
            self.incoming.pause()

    def eof_received(self) -> bool:
        """Handle the end of the client's data; return true if it still gets a response."""
        self.incoming.is_at_end = True
        if self._stream:
            self._stream.feed()
        elif self.phase is BODY:
            self._parser.end()
            self._advance()
        # TLS connections cannot be half-closed.
        return self.phase in (ANSWERING, STREAMING, WRITING) and self._transport.can_write_eof()

    def pause_writing(self) -> None:
        """Stop writing until the client reads."""
        self._is_full = True
        if self._stream:
            self._stream.block()

    def resume_writing(self) -> None:
        """Continue writing: the client has read."""
        self._is_full = False
        if self._stream:
            self._stream.unblock()
        elif self.phase is WRITING:
            self.enter(IDLE)
            self._advance()

    def connection_lost(self, _error: Exception | None) -> None:
        """Clean up after the connection is closed."""
        self._stop_reading()
        self._parser.close()
        if self.request is not None:
            self._handler.budget.release(self.request)
        if self._stream:
            self._stream.feed()
        self._closed(self)

    # From request to request.

    def _wait_for_more(self) -> None:
        """Update the phase and deadline for the request that is being read."""
        parser = self._parser
        if parser.request is None:
            return
        if parser.is_in_head:
            self.enter_head()
            return
        if self.phase is not BODY:
            self.enter_body()
            if parser.expects_continue:
                self._transport.write(CONTINUE)
        if parser.request.error is None:
            self.expect_more(parser.size)
        else:
            self.expect_discard()

    def _advance(self) -> None:
        """Hand on the requests that have been read, as far as the phase allows."""
        if self._is_advancing:
            return
        self._is_advancing = True
        try:
            while self.phase.reads and self._hand_on():
                pass
        except Exception as error:  # noqa: BLE001 - other clients are not affected
            self._handler.defect(error)
            self.abort()
        finally:
            self._is_advancing = False

    def _hand_on(self) -> bool:
        """Hand on one request or read more; return whether there may be more to do."""
        parser, incoming = self._parser, self.incoming
        if parser.requests:
            self.request = parser.requests.popleft()
            self.enter(ANSWERING)
            self._handler.handle(self, self.request)
        elif parser.rejection:
            self.enter(ANSWERING)
            self._handler.reject(self, parser.rejection)
        elif incoming.is_waiting and not parser.is_last:
            incoming.parse_piece()
        elif incoming.is_at_end or parser.is_last:
            self.close()
        else:
            self._wait_for_more()
            incoming.resume()
            return False
        return True

    def _finish(self) -> None:
        """Close, after reading the client's remaining data: unread data would cause a reset."""
        parser, incoming = self._parser, self.incoming
        may_send_more = parser.rejection or parser.is_cut or parser.request or incoming.is_waiting
        if may_send_more and self._transport.can_write_eof() and not incoming.is_at_end:
            self.enter(LINGERING, self._transport.get_write_buffer_size())
            incoming.drop()
            with suppress(OSError):  # asyncio raises it when the client has just disconnected
                self._transport.write_eof()
            incoming.resume()
        else:
            self.close()

    def _stop_reading(self) -> None:
        """Stop reading."""
        if self.phase is not CLOSING:
            self.enter(CLOSING, self._transport.get_write_buffer_size())
            self.incoming.close()
