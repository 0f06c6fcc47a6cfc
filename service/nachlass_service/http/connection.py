"""One client's connection, on a transport of asyncio or uvloop.

It reads requests, hands them on one after the other, writes their answers, and lets go
of a client that is too slow. It never waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from nachlass_service.http.head import Refusal
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
    """A client; all methods are the loop's. `opened` and `closed` are told of it."""

    __slots__ = (
        *("_closed", "_handler", "_is_advancing", "_is_full", "_opened", "_parser", "_stream"),
        *("_transport", "incoming", "request"),
    )

    def __init__(self, handler: Handler, opened: Callback, closed: Callback) -> None:
        super().__init__(handler.keep_alive_s)
        self.incoming = cast("Incoming", None)
        self.request: Request | None = None  # that is being answered
        self._handler, self._opened, self._closed = handler, opened, closed
        self._parser = RequestParser(handler.limits, handler.budget, handler.is_streamed)
        self._transport = cast("asyncio.Transport", None)
        self._is_advancing = False
        self._is_full = False  # the client does not take what is written
        self._stream: Stream | None = None

    @property
    def endpoints(self) -> Endpoints:
        """Who speaks with whom."""
        told = self._transport.get_extra_info
        return Endpoints(told("peername"), told("sockname"), told("sslcontext") is not None)

    def answer(self, response: bytes, *, close: bool) -> None:
        """Send the answer to the current request, and go on with the next."""
        if self.request is not None:
            self._handler.budget.give_back(self.request)
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
        """Hand the current request to a thread; its body may already be there."""
        self._stream = stream
        self.enter(STREAMING)
        if self._parser.expects_continue and not stream.is_whole:
            self._transport.write(CONTINUE)
        stream.feed()

    def write(self, data: bytes) -> None:
        """Send a piece of a streamed answer."""
        if self.phase is STREAMING:
            self._transport.write(data)

    def end_stream(self, *, close: bool) -> None:
        """Go on with the next request."""
        self._stream = None
        if self.phase is STREAMING:
            self.enter(ANSWERING)
            self.answer(b"", close=close)

    def turn_away(self, status: int, detail: str) -> None:
        """Answer so, whatever is asked, and close."""
        self._parser.refusal = Refusal(status, detail)
        self._advance()

    def close(self) -> None:
        """Close once what has been written is sent."""
        if self.phase is not CLOSING:
            self._leave()
            self._transport.close()

    def abort(self) -> None:
        """Close, whatever is on its way: `close` waits for a client that does not read."""
        self._leave()
        self._transport.abort()

    def pass_deadline(self) -> None:
        """Let go of a client that has been too slow."""
        if self.phase is BODY:
            self._parser.end()
            self._advance()
        elif self.phase is IDLE:
            self.close()
        elif not self.expect_reader(self._transport.get_write_buffer_size()):
            self.abort()

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client is there; with TLS, after the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        self.incoming = Incoming(self._parser, self._transport)
        self._opened(self)

    def data_received(self, data: bytes) -> None:
        """Read what has come, or keep it until its turn."""
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
        """The client sends nothing more; true if it still gets an answer."""
        self.incoming.is_at_end = True
        if self._stream:
            self._stream.feed()
        elif self.phase is BODY:
            self._parser.end()
            self._advance()
        # With TLS there is no half of a connection that could stay open.
        return self.phase in (ANSWERING, STREAMING, WRITING) and self._transport.can_write_eof()

    def pause_writing(self) -> None:
        """The client does not take what is written."""
        self._is_full = True
        if self._stream:
            self._stream.block()

    def resume_writing(self) -> None:
        """The client has taken what was written."""
        self._is_full = False
        if self._stream:
            self._stream.unblock()
        elif self.phase is WRITING:
            self.enter(IDLE)
            self._advance()

    def connection_lost(self, _error: Exception | None) -> None:
        """The client is gone."""
        self._leave()
        self._parser.close()
        if self.request is not None:
            self._handler.budget.give_back(self.request)
        if self._stream:
            self._stream.feed()
        self._closed(self)

    # From request to request.

    def _wait_for_more(self) -> None:
        """Note how far the request is that is being read."""
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
            self.expect_refused()

    def _advance(self) -> None:
        """Hand on what has been read, as far as it is its turn."""
        if self._is_advancing:
            return
        self._is_advancing = True
        try:
            while self.phase.reads and self._hand_on():
                pass
        except Exception as error:  # noqa: BLE001 - the others' requests go on
            self._handler.defect(error)
            self.abort()
        finally:
            self._is_advancing = False

    def _hand_on(self) -> bool:
        """Hand on one request, or read more; whether there may be more to do."""
        parser, incoming = self._parser, self.incoming
        if parser.requests:
            self.request = parser.requests.popleft()
            self.enter(ANSWERING)
            self._handler.handle(self, self.request)
        elif parser.refusal:
            self.enter(ANSWERING)
            self._handler.refuse(self, parser.refusal)
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
        """Close so that the client gets the answer: with bytes unread, it would get a reset."""
        parser, incoming = self._parser, self.incoming
        may_send_more = parser.refusal or parser.is_cut or parser.request or incoming.is_waiting
        if may_send_more and self._transport.can_write_eof() and not incoming.is_at_end:
            self.enter(LINGERING, self._transport.get_write_buffer_size())
            incoming.drop()
            with suppress(OSError):  # of asyncio's, when the client has just gone
                self._transport.write_eof()
            incoming.resume()
        else:
            self.close()

    def _leave(self) -> None:
        """Read nothing more."""
        if self.phase is not CLOSING:
            self.enter(CLOSING, self._transport.get_write_buffer_size())
            self.incoming.close()
