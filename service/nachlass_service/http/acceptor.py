"""Accepts connections, balances them with other workers, and closes them."""

from __future__ import annotations

import asyncio
import errno
import math
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from logging import WARNING

from nachlass_service.base import log
from nachlass_service.http.balance import Balance
from nachlass_service.http.connection import Connection
from nachlass_service.http.interfaces import Handler
from nachlass_service.http.phases import IDLE, SILENCE_S

SLACK = 4
"""A worker with this many more connections than another lets that one accept first."""
BACK_OFF_S = 0.001
NO_ROOM_S = 0.1
"""How long a worker without room accepts nothing."""
MAX_WAITING = 2048
"""The most connections in the backlog of a listener: gunicorn's default."""
MIN_IDLE_S = 1.0
"""A client that was answered this recently may be sending its next request."""
CLOSE_LIMIT_S = 0.3
"""How long a drain waits for one more request from such a client."""
DRAIN_S = 3
"""How long a drain waits for requests that are still arriving."""
LOGGED_EVERY_S = 10.0


class Acceptor:
    """The listeners and connections of a worker; all methods run in the loop's thread."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handler: Handler,
        balance: Balance,
        *,
        limit: int,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.is_draining = False
        self.connections: set[Connection] = set()
        self._loop, self._handler, self._balance = loop, handler, balance
        self._limit, self._tls = limit, tls
        self._listeners: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._has_stepped_back = False
        self._closed, self._logged_at = 0, -math.inf
        self._gives_up_at = math.inf

    @property
    def is_empty(self) -> bool:
        """Whether a drain is complete."""
        return self.is_draining and not (self.connections or self._tasks)

    def open(self, listeners: Sequence[socket.socket]) -> None:
        """Start accepting, unless the worker is already shutting down."""
        if self.is_draining:
            return
        self._listeners = list(listeners)
        for listener in listeners:
            listener.settimeout(0)
        self._balance.publish(0)
        self._listen()

    def opened(self, connection: Connection) -> None:
        """Register a connection, and make room for it."""
        self.connections.add(connection)
        self._publish()
        if len(self.connections) > self._limit:
            self._make_room(connection)

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self.connections.discard(connection)
        self._publish()

    def drain(self) -> None:
        """Accept the backlog, then stop accepting; answer pending requests, then close."""
        self._stop_listening()
        self.is_draining = True
        self._balance.withdraw()
        for listener in self._listeners:
            for _ in range(MAX_WAITING):
                if not self._accept(listener):
                    break
            listener.close()
        self._listeners = []
        now = time.monotonic()
        self._gives_up_at = now + DRAIN_S
        # The sockets may hold requests that were sent before, so they are read once more.
        self._loop.call_later(0.01, self._close_idle, now - MIN_IDLE_S)
        self._loop.call_later(0.01 + CLOSE_LIMIT_S, self._close_idle, math.inf)

    def tick(self, now: float) -> None:
        """Close the connections of clients that are too slow."""
        for connection in [c for c in self.connections if c.deadline < now]:
            connection.pass_deadline()
        if now > self._gives_up_at:
            for connection in [c for c in self.connections if c.request is None]:
                connection.abort()
            for task in self._tasks:
                task.cancel()

    def extend_deadlines(self, seconds: float) -> None:
        """Extend all deadlines by a time in which the loop did not read."""
        for connection in self.connections:
            connection.deadline += seconds

    def _publish(self) -> None:
        if not self.is_draining:
            self._balance.publish(len(self.connections) + len(self._tasks))

    def _listen(self) -> None:
        for listener in self._listeners:
            self._loop.add_reader(listener, self._accept_client, listener)

    def _stop_listening(self) -> None:
        for listener in self._listeners:
            self._loop.remove_reader(listener)

    def _close_for(self, seconds: float) -> None:
        self._stop_listening()
        self._loop.call_later(seconds, self._listen)

    def _accept_client(self, listener: socket.socket) -> None:
        """Accept one client, unless another worker should or too many handshakes are pending."""
        if len(self._tasks) >= self._limit:
            self._close_for(NO_ROOM_S)
            return
        load = len(self.connections) + len(self._tasks)
        if not self._has_stepped_back and self._balance.has_less_loaded(load - SLACK):
            self._has_stepped_back = True
            self._close_for(BACK_OFF_S)
            return
        self._has_stepped_back = False
        self._accept(listener)

    def _accept(self, listener: socket.socket) -> bool:
        """Accept one connection; return whether there was one."""
        try:
            sock, _peer = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                self._close_for(NO_ROOM_S)
            return False
        sock.settimeout(0)
        if sock.family != socket.AF_UNIX:
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._handshake(sock))
        self._tasks.add(task)
        task.add_done_callback(self._end_handshake)
        self._publish()
        return True

    def _connection(self) -> Connection:
        return Connection(self._handler, self.opened, self.closed)

    async def _handshake(self, sock: socket.socket) -> None:
        limit_s = SILENCE_S if self._tls else None
        try:
            await self._loop.connect_accepted_socket(
                self._connection, sock, ssl=self._tls, ssl_handshake_timeout=limit_s
            )
        except (OSError, asyncio.CancelledError):  # also from the TLS handshake
            sock.close()

    def _end_handshake(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._publish()

    def _make_room(self, connection: Connection) -> None:
        """Close the longest idle connection, or the new one if none is idle."""
        idle = [c for c in self.connections if c.phase is IDLE and c is not connection]
        if idle:
            min(idle, key=lambda c: c.since).close()
        else:
            connection.reject(503, f"too many connections (limit {self._limit})")
        self._closed += 1
        now = time.monotonic()
        if now - self._logged_at > LOGGED_EVERY_S:
            self._logged_at = now
            log.event("connections", level=WARNING, limit=self._limit, closed=self._closed)
            self._closed = 0

    def _close_idle(self, since: float) -> None:
        for connection in list(self.connections):
            if connection.phase is IDLE and connection.since <= since:
                connection.close()
                if self._tls:  # a TLS close waits for the client
                    self._loop.call_later(CLOSE_LIMIT_S, connection.abort)
