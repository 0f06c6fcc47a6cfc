"""Accepts connections, and lets them go: limits, deadlines, the drain."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from nachlass_service.http.balance import Balance
from nachlass_service.http.connection import Connection, Face

STEP_BACK_S = 0.001
NO_ROOM_S = 0.1
"""How long nothing is accepted when the system has no room for more."""
MOST_WAITING = 2048
"""Connections that may have been waiting for a worker: gunicorn's default."""
FAREWELL_S = 1
"""How long a client may take, during a drain, to send one more request: it may be on its way."""
DRAIN_S = 3
"""What has not been sent so long after a drain began is not waited for."""


class Door:
    """The listeners of a worker, and its connections; all methods are the leader's."""

    def __init__(self, face: Face, most: int, balance: Balance) -> None:
        self.is_draining = False
        self.connections: set[Connection] = set()
        self._face, self._loop = face, face.loop
        self._most = most
        self._balance = balance
        self._listeners: list[socket.socket] = []
        self._opens_at = 0.0  # when it is closed for a moment
        self._is_listening = False
        self._gives_up_at = 0.0

    def open(self, listeners: Sequence[socket.socket]) -> None:
        """Begin to accept."""
        self._listeners = list(listeners)
        for listener in listeners:
            listener.settimeout(0)
        self._balance.say(0)
        self._listen()

    def drain(self) -> None:
        """Accept what has been waiting, and no more; answer what is asked, and no more."""
        self._stop_listening()
        self._balance.leave()
        for listener in self._listeners:
            for _ in range(MOST_WAITING):
                if not self._accept(listener):
                    break
            listener.close()
        self._listeners = []
        self.is_draining = True
        self._gives_up_at = self._loop.now + DRAIN_S
        for connection in self.connections:
            if connection.is_idle:
                connection.deadline = min(connection.deadline, self._loop.now + FAREWELL_S)

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self.connections.discard(connection)
        if not self.is_draining:
            self._balance.say(len(self.connections))

    def tick(self) -> None:
        """Let go of clients that have been waited for in vain."""
        now = self._loop.now
        is_late = self.is_draining and now > self._gives_up_at
        for connection in list(self.connections):
            if now > connection.deadline or (is_late and not connection.is_being_answered):
                connection.pass_deadline()
        if self._listeners and not self._is_listening and now >= self._opens_at:
            self._listen()

    def _listen(self) -> None:
        self._is_listening = True
        for listener in self._listeners:
            self._loop.add(listener.fileno(), partial(self._knock, listener))

    def _stop_listening(self) -> None:
        if self._is_listening:
            self._is_listening = False
            for listener in self._listeners:
                self._loop.remove(listener.fileno())

    def _close_for(self, seconds: float) -> None:
        self._stop_listening()
        self._opens_at = self._loop.now + seconds
        self._loop.tick_within(seconds)

    def _knock(self, listener: socket.socket, _events: int) -> None:
        """Somebody is at the door: accept one, unless another worker should."""
        has_stepped_back = self._opens_at > 0
        self._opens_at = 0.0
        if not has_stepped_back and self._balance.is_another_first(len(self.connections)):
            self._close_for(STEP_BACK_S)
        else:
            self._accept(listener)

    def _accept(self, listener: socket.socket) -> bool:
        """Accept one connection; whether there was one."""
        try:
            sock, peer = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                self._close_for(NO_ROOM_S)
            return False
        self._welcome(sock, peer)
        return True

    def _welcome(self, sock: socket.socket, peer: Any) -> None:
        sock.settimeout(0)
        if sock.family != socket.AF_UNIX:
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock, peer, self._face)
        self.connections.add(connection)
        if not self.is_draining:
            self._balance.say(len(self.connections))
        if len(self.connections) > self._most:
            connection.turn_away(503, "there are too many connections")
