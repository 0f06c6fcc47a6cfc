"""The phases of a connection: what each does with what comes, how long it lasts, what follows."""

from __future__ import annotations

import math
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
    """One phase. `reads`: what comes is parsed; otherwise it waits. `limit_s`: seconds."""

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
STREAMING = Phase("streaming", reads=True, limit_s=math.inf)
"""A thread reads the body of a batch and writes the answer; it has limits of its own."""
WRITING = Phase("writing", reads=False, limit_s=WRITE_S)
"""The client has not taken the last answer yet; the limit begins again with what it takes."""
LINGERING = Phase("lingering", reads=True, limit_s=LINGER_S)
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
BEFORE_AN_ANSWER = frozenset({IDLE, HEAD, BODY})
PHASES = (IDLE, HEAD, BODY, ANSWERING, STREAMING, WRITING, LINGERING, CLOSING)
