"""One client's connection, on a transport of asyncio or uvloop.

It goes from phase to phase (phases.py): reads requests (parser.py), hands them on one
after the other, writes their answers, and lets go of a client that is too slow. It never
waits.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any, Protocol, cast

from nachlass_service.base.errors import SlowBodyError
from nachlass_service.http.body_budget import BodyBudget
from nachlass_service.http.head import Limits, Refusal
from nachlass_service.http.parser import RequestParser
from nachlass_service.http.phases import (
    ANSWERING,
    BEFORE_AN_ANSWER,
    BODY,
    CLOSING,
    DISCARD_S,
    HEAD,
    IDLE,
    LEAST_RATE,
    LINGERING,
    SILENCE_S,
    STREAMING,
    WRITE_S,
    WRITING,
    Phase,
)
from nachlass_service.http.request import Request

PIECE_BYTES = 1 << 16
"""Bytes that are parsed at once: they bound how many requests of one client wait."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Handler(Protocol):
    """What a connection hands its requests on to, and its limits."""

    limits: Limits
    budget: BodyBudget
    keep_alive_s: float

    def is_streamed(self, request: Request) -> bool:
        """Whether to hand a request on before its body is there."""

    def handle(self, connection: Connection, request: Request) -> None:
        """Answer a request, now or later."""

    def refuse(self, connection: Connection, refusal: Refusal) -> None:
        """Answer what is no request, and close."""

    def opened(self, connection: Connection) -> None:
        """Take note of a connection."""

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""

    def defect(self, error: BaseException) -> None:
        """Log what should not have happened, and cost a client its connection."""


class Stream(Protocol):
    """The thread that has a batch, as its connection sees it."""

    @property
    def is_whole(self) -> bool:
        """Whether all of the body is there."""

    @property
    def has_room(self) -> bool:
        """Whether more of the body should be read."""

    def notify(self) -> None:
        """More of the body is there, or nothing more will be."""

    def block(self) -> None:
        """The client does not take what is written."""

    def unblock(self) -> None:
        """The client takes more."""


class Connection(asyncio.Protocol):
    """A client; all methods are the loop's."""

    __slots__ = (
        *("deadline", "phase", "since", "request", "_handler", "_parser", "_transport", "_unread"),
        *("_has_ended", "_is_advancing", "_is_full", "_is_paused", "_stream", "_unsent"),
        "_begun_at",
    )

    def __init__(self, handler: Handler) -> None:
        self.phase = IDLE
        self.since = self._begun_at = time.monotonic()
        self.deadline = self.since + SILENCE_S
        self.request: Request | None = None  # that is being answered
        self._handler = handler
        self._parser = RequestParser(handler.limits, handler.budget, handler.is_streamed)
        self._transport = cast("asyncio.Transport", None)
        self._unread = b""
        self._has_ended = False  # the client sends nothing more
        self._is_advancing = False
        self._is_paused = False  # the transport does not read
        self._is_full = False  # the client does not take what is written
        self._unsent = 0
        self._stream: Stream | None = None

    # What is asked of it.

    @property
    def peer(self) -> Any:
        """The client's address."""
        return self._transport.get_extra_info("peername")

    @property
    def server(self) -> Any:
        """The address that the client has connected to."""
        return self._transport.get_extra_info("sockname")

    @property
    def is_encrypted(self) -> bool:
        """Whether the client speaks TLS."""
        return self._transport.get_extra_info("sslcontext") is not None

    @property
    def is_open(self) -> bool:
        """Whether an answer can still reach the client."""
        return self.phase is not CLOSING and self.phase is not LINGERING

    def answer(self, response: bytes, *, close: bool) -> None:
        """Send the answer to the current request."""
        if self.request is not None:
            self._handler.budget.give_back(self.request)
            self.request = None
        if not self.is_open:
            return
        self._transport.write(response)
        if close:
            self._finish()
        elif self._is_full:
            self._enter(WRITING)
            self._unsent = self._transport.get_write_buffer_size()
        else:
            self._enter(IDLE)
            if not self._is_advancing and self._has_more:
                self._advance()

    def turn_away(self, status: int, detail: str) -> None:
        """Answer so, whatever is asked, and close."""
        self._parser.refusal = Refusal(status, detail)
        self._advance()

    def close(self) -> None:
        """Close once what has been written is sent."""
        if self.phase is not CLOSING:
            self._enter(CLOSING)
            self._unsent = self._transport.get_write_buffer_size()
            self._transport.close()

    def abort(self) -> None:
        """Close, whatever is on its way: `close` waits for a client that does not read."""
        if self.phase is not CLOSING:
            self._enter(CLOSING)
        self._transport.abort()

    def pass_deadline(self, now: float) -> None:
        """Let go of a client that has been too slow."""
        unsent = self._transport.get_write_buffer_size()
        if self.phase in (WRITING, LINGERING, CLOSING) and 0 < unsent < self._unsent:
            self._unsent, self.deadline = unsent, now + WRITE_S
        elif self.phase is BODY:
            self._end_body()
        elif self.phase is IDLE:
            self.close()
        else:
            self.abort()

    # The body and the answer of a batch, which a thread reads and writes.

    def stream(self, stream: Stream) -> None:
        """Hand the current request to a thread; its body may already be there."""
        self._stream = stream
        self._enter(STREAMING)
        if self._parser.expects_continue and not stream.is_whole:
            self._transport.write(CONTINUE)
        stream.notify()
        self.feed_stream()

    def write(self, data: bytes) -> None:
        """Send a piece of a streamed answer."""
        if self.phase is STREAMING:
            self._transport.write(data)

    def feed_stream(self) -> None:
        """Read of a streamed body what there is room for."""
        stream = self._stream
        if self.phase is not STREAMING or stream is None:
            return
        has_come = bool(self._unread)
        while self._unread and stream.has_room and not self._parser.refusal:
            self._take_unread()
        if self._unread or not stream.has_room:
            self._pause_reading()
        else:
            self._resume_reading()
        if has_come or self.has_ended:
            stream.notify()

    def end_stream(self, *, close: bool) -> None:
        """Go on with the next request."""
        self._stream = None
        if self.phase is STREAMING:
            self._enter(ANSWERING)
            self.answer(b"", close=close)

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client is there; with TLS, after the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        self._handler.opened(self)

    def data_received(self, data: bytes) -> None:
        """Read what has come, or keep it until its turn."""
        try:
            if self.phase is LINGERING:
                return
            if self.phase is STREAMING:
                self._unread += data
                self.feed_stream()
            elif not self.phase.reads or self._unread or len(data) > PIECE_BYTES:
                self._unread += data
                self._pause_reading()
                self._advance()
            else:
                self._parse(data)
        except Exception as error:  # noqa: BLE001 - the others' connections go on
            self._handler.defect(error)
            self.abort()

    def eof_received(self) -> bool:
        """The client sends nothing more; true if it still gets an answer."""
        self._has_ended = True
        if self.phase is STREAMING and self._stream:
            self._stream.notify()
        elif self.phase is BODY:
            self._end_body()
        # With TLS there is no half of a connection that could stay open.
        return self.phase in (ANSWERING, STREAMING, WRITING) and not self.is_encrypted

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
            self._enter(IDLE)
            self._advance()

    def connection_lost(self, _error: Exception | None) -> None:
        """The client is gone."""
        if self.phase is not CLOSING:
            self._enter(CLOSING)
        self._parser.close()
        if self.request is not None:
            self._handler.budget.give_back(self.request)
        if self._stream:
            self._stream.notify()
        self._unread = b""
        self._handler.closed(self)

    # Reading.

    @property
    def has_ended(self) -> bool:
        """Whether nothing more of a streamed body can come."""
        return bool(self._has_ended or self._parser.refusal or self.phase is CLOSING)

    @property
    def _has_more(self) -> bool:
        """Whether there is something to do before the client sends more."""
        parser = self._parser
        return bool(
            parser.requests
            or parser.request
            or parser.refusal
            or self._is_paused
            or self._has_ended
        )

    def _parse(self, data: bytes) -> None:
        parser = self._parser
        parser.feed(data)
        if parser.requests or parser.refusal:
            self._advance()
        else:
            self._wait_for_more()

    def _wait_for_more(self) -> None:
        """Note how far the request is that is being read."""
        parser = self._parser
        if parser.request is None:
            return
        if parser.is_in_head:
            if self.phase is IDLE:
                self._begun_at = time.monotonic()
                self._enter(HEAD)
            return
        now = time.monotonic()
        if self.phase is not BODY:
            self._begun_at = now if self.phase is IDLE else self._begun_at
            self._enter(BODY)
            if parser.expects_continue:
                self._transport.write(CONTINUE)
        if parser.request.error is None:
            slowest = self._begun_at + SILENCE_S + parser.size / LEAST_RATE
            self.deadline = min(now + SILENCE_S, slowest)
        else:
            self.deadline = min(self.deadline, now + DISCARD_S)

    def _advance(self) -> None:
        """Hand on what has been read, as far as it is its turn."""
        if self._is_advancing:
            return
        self._is_advancing = True
        try:
            while self.phase in BEFORE_AN_ANSWER and self._hand_on():
                pass
        except Exception as error:  # noqa: BLE001 - the others' requests go on
            self._handler.defect(error)
            self.abort()
        finally:
            self._is_advancing = False

    def _hand_on(self) -> bool:
        """Hand on one request, or read more; whether there may be more to do."""
        parser = self._parser
        if parser.requests:
            self.request = parser.requests.popleft()
            self._enter(ANSWERING)
            self._handler.handle(self, self.request)
        elif parser.refusal:
            self._enter(ANSWERING)
            self._handler.refuse(self, parser.refusal)
        elif self._unread and not parser.is_last:
            self._take_unread()
        elif self._has_ended or parser.is_last:
            self.close()
        else:
            self._wait_for_more()
            self._resume_reading()
            return False
        return True

    def _take_unread(self) -> None:
        """Parse a piece of what has come in the meantime."""
        data, self._unread = self._unread[:PIECE_BYTES], self._unread[PIECE_BYTES:]
        self._parser.feed(data)
        if self.phase is not STREAMING and not self._parser.requests:
            self._wait_for_more()

    def _end_body(self) -> None:
        """Answer a request whose body does not come."""
        self._parser.end(SlowBodyError("the body ended before it was complete"))
        self._advance()

    def _pause_reading(self) -> None:
        if not self._is_paused and self.phase is not CLOSING:
            self._is_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._is_paused and self.phase is not CLOSING:
            self._is_paused = False
            self._transport.resume_reading()

    def _finish(self) -> None:
        """Close so that the client gets the answer: with bytes unread, it would get a reset."""
        parser = self._parser
        self._unsent = self._transport.get_write_buffer_size()
        may_send_more = parser.refusal or parser.is_cut or parser.request or self._unread
        if may_send_more and self._transport.can_write_eof() and not self._has_ended:
            self._enter(LINGERING)
            self._unread = b""
            self._transport.write_eof()
            self._resume_reading()
        else:
            self._enter(CLOSING)
            self._transport.close()

    def _enter(self, phase: Phase) -> None:
        """Change to a phase that may follow this one."""
        assert phase in self.phase.following, f"{phase.name} after {self.phase.name}"
        self.phase = phase
        if phase is ANSWERING or phase is STREAMING:
            self.deadline = math.inf
            return
        self.since = time.monotonic()
        self.deadline = self.since + (
            self._handler.keep_alive_s if phase is IDLE else phase.limit_s
        )
