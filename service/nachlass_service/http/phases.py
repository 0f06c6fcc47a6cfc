"""The phases of a connection: whether each reads, how long it lasts, and what follows."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

SILENCE_S = 10
"""The timeout for a request's head, and for each pause in its body."""
MIN_RATE = 1 << 14
"""The least rate of a body in bytes per second, once it takes longer than SILENCE_S."""
WRITE_S = 10
"""How long a client may read nothing of a response."""
DISCARD_S = 5
"""How long a rejected body is read and discarded before the response."""
LINGER_S = 2
"""How long the server discards further data while the client reads the last response."""


@dataclass(eq=False)
class Phase:
    """A phase. With `reads`, data is parsed as requests; `limit_s` is its timeout in seconds."""

    name: str
    reads: bool
    limit_s: float
    following: frozenset[Phase] = field(default=frozenset(), repr=False)


IDLE = Phase("idle", reads=True, limit_s=math.inf)
"""Between two requests; the timeout is the setting `keepalive`."""
HEAD = Phase("head", reads=True, limit_s=SILENCE_S)
BODY = Phase("body", reads=True, limit_s=SILENCE_S)
ANSWERING = Phase("answering", reads=False, limit_s=math.inf)
"""A request has been handed on; the scheduler enforces the predictor's timeout."""
STREAMING = Phase("streaming", reads=False, limit_s=math.inf)
"""A thread reads the body of a batch and writes the response; it has its own timeouts."""
WRITING = Phase("writing", reads=False, limit_s=WRITE_S)
"""The client is still reading the last response; the timeout restarts whenever it reads."""
LINGERING = Phase("lingering", reads=False, limit_s=LINGER_S)
"""The last response and its end are written; further data of the client is discarded."""
CLOSING = Phase("closing", reads=False, limit_s=WRITE_S)
"""Nothing is read; written data is still being sent."""

IDLE.following = frozenset({HEAD, BODY, ANSWERING, CLOSING})
HEAD.following = frozenset({BODY, ANSWERING, CLOSING})
BODY.following = frozenset({ANSWERING, CLOSING})
ANSWERING.following = frozenset({IDLE, STREAMING, WRITING, LINGERING, CLOSING})
STREAMING.following = frozenset({ANSWERING, CLOSING})
WRITING.following = frozenset({IDLE, LINGERING, CLOSING})
LINGERING.following = frozenset({CLOSING})
PHASES = (IDLE, HEAD, BODY, ANSWERING, STREAMING, WRITING, LINGERING, CLOSING)


class Phased:
    """The current phase, with its start and deadline.

    Times are in seconds of `time.monotonic`.
    """

    __slots__ = ("_begun_at", "_keep_alive_s", "_unsent", "deadline", "phase", "since")

    def __init__(self, keep_alive_s: float) -> None:
        self.phase = IDLE
        self.since = self._begun_at = time.monotonic()
        self.deadline = self.since + SILENCE_S
        self._keep_alive_s = keep_alive_s
        self._unsent = 0

    @property
    def is_open(self) -> bool:
        """Whether a response can still reach the client."""
        return self.phase is not CLOSING and self.phase is not LINGERING

    def enter(self, phase: Phase, unsent: int = 0) -> None:
        """Change to a following phase; `unsent` bytes are not sent yet."""
        assert phase in self.phase.following, f"{phase.name} after {self.phase.name}"
        self.phase, self._unsent = phase, unsent
        if phase is ANSWERING or phase is STREAMING:
            self.deadline = math.inf
            return
        self.since = time.monotonic()
        self.deadline = self.since + (self._keep_alive_s if phase is IDLE else phase.limit_s)

    def enter_head(self) -> None:
        """Start to read a request's head."""
        if self.phase is IDLE:
            self._begun_at = time.monotonic()
            self.enter(HEAD)

    def enter_body(self) -> None:
        """Start to read a request's body."""
        if self.phase is IDLE:
            self._begun_at = time.monotonic()
        self.enter(BODY)

    def expect_more(self, size: int) -> None:
        """Set the deadline for the next piece of a body of which `size` bytes have arrived."""
        slowest = self._begun_at + SILENCE_S + size / MIN_RATE
        self.deadline = min(time.monotonic() + SILENCE_S, slowest)

    def expect_discard(self) -> None:
        """Set the deadline for discarding a rejected body."""
        self.deadline = min(self.deadline, time.monotonic() + DISCARD_S)

    def expect_reader(self, unsent: int) -> bool:
        """Extend the deadline if the client has read some data; return whether it has."""
        if not 0 < unsent < self._unsent:
            return False
        self._unsent, self.deadline = unsent, time.monotonic() + WRITE_S
        return True
