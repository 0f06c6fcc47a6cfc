"""The phases of a connection: what each does with what comes, how long it lasts, what follows."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

SILENCE_S = 10
"""The time for a request's head, and for each silence in the middle of its body."""
LEAST_RATE = 1 << 14
"""Bytes a second that a body has to come at, if it takes longer than a silence may."""
WRITE_S = 10
"""How long a client may take nothing of an answer."""
DISCARD_S = 5
"""How long a body that is not taken is read, and thrown away, before it is answered."""
LINGER_S = 2
"""How long a client may take to read the last answer: what it still sends is thrown away."""


@dataclass(eq=False)
class Phase:
    """One phase. `reads`: what comes is read as requests. `limit_s`: seconds."""

    name: str
    reads: bool
    limit_s: float
    following: frozenset[Phase] = field(default=frozenset(), repr=False)


IDLE = Phase("idle", reads=True, limit_s=math.inf)
"""Between two requests; the setting `keepalive` limits it."""
HEAD = Phase("head", reads=True, limit_s=SILENCE_S)
BODY = Phase("body", reads=True, limit_s=SILENCE_S)
ANSWERING = Phase("answering", reads=False, limit_s=math.inf)
"""A request has been handed on; the predictor's time limit is the scheduler's."""
STREAMING = Phase("streaming", reads=False, limit_s=math.inf)
"""A thread reads the body of a batch and writes the answer; it has limits of its own."""
WRITING = Phase("writing", reads=False, limit_s=WRITE_S)
"""The client has not taken the last answer yet; the limit begins again with what it takes."""
LINGERING = Phase("lingering", reads=False, limit_s=LINGER_S)
"""Everything is answered and the client is told so; what it still sends is thrown away."""
CLOSING = Phase("closing", reads=False, limit_s=WRITE_S)
"""Nothing is read; what has been written is still being sent."""

IDLE.following = frozenset({HEAD, BODY, ANSWERING, CLOSING})
HEAD.following = frozenset({BODY, ANSWERING, CLOSING})
BODY.following = frozenset({ANSWERING, CLOSING})
ANSWERING.following = frozenset({IDLE, STREAMING, WRITING, LINGERING, CLOSING})
STREAMING.following = frozenset({ANSWERING, CLOSING})
WRITING.following = frozenset({IDLE, LINGERING, CLOSING})
LINGERING.following = frozenset({CLOSING})
PHASES = (IDLE, HEAD, BODY, ANSWERING, STREAMING, WRITING, LINGERING, CLOSING)


class Phased:
    """What goes from phase to phase: the one it is in, since when, and until when.

    Times are of `time.monotonic`, in seconds.
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
        """Whether an answer can still reach the client."""
        return self.phase is not CLOSING and self.phase is not LINGERING

    def enter(self, phase: Phase, unsent: int = 0) -> None:
        """Change to a phase that may follow this one, with so many bytes not sent yet."""
        assert phase in self.phase.following, f"{phase.name} after {self.phase.name}"
        self.phase, self._unsent = phase, unsent
        if phase is ANSWERING or phase is STREAMING:
            self.deadline = math.inf
            return
        self.since = time.monotonic()
        self.deadline = self.since + (self._keep_alive_s if phase is IDLE else phase.limit_s)

    def enter_head(self) -> None:
        """A request's head comes."""
        if self.phase is IDLE:
            self._begun_at = time.monotonic()
            self.enter(HEAD)

    def enter_body(self) -> None:
        """A request's body comes."""
        if self.phase is IDLE:
            self._begun_at = time.monotonic()
        self.enter(BODY)

    def expect_more(self, size: int) -> None:
        """Of a body, so many bytes are there: how long the client may take for more."""
        slowest = self._begun_at + SILENCE_S + size / LEAST_RATE
        self.deadline = min(time.monotonic() + SILENCE_S, slowest)

    def expect_refused(self) -> None:
        """The body is not taken: how long it is read, and thrown away."""
        self.deadline = min(self.deadline, time.monotonic() + DISCARD_S)

    def expect_reader(self, unsent: int) -> bool:
        """Wait on for a client that has taken some of what is sent; whether it has."""
        if not 0 < unsent < self._unsent:
            return False
        self._unsent, self.deadline = unsent, time.monotonic() + WRITE_S
        return True
