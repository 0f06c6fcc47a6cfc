"""A connection survives any client: request streams that are mutated, split and delayed.

FUZZ_SECONDS is the duration (`make fuzz`: an hour, from a random seed); FUZZ_SEED repeats a
failure.
"""

import os
import random
import time
from collections import deque

from nachlass_service.http.body_budget import BodyBudget
from nachlass_service.http.connection import Connection
from nachlass_service.http.head import RequestLimits
from nachlass_service.http.phases import CLOSING
from nachlass_service.http.streaming import Streamed
from support.transport import Clock, Transport

SECONDS = os.environ.get("FUZZ_SECONDS")
SEED = os.environ.get("FUZZ_SEED")
HOST, CHUNKED = b"Host: x\r\n", b"Transfer-Encoding: chunked\r\n\r\n"
REQUESTS = [
    b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
    b"POST /predict HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\n[1,2]",
    b"POST /predict HTTP/1.1\r\n" + HOST + b"Content-Length: 3000\r\n\r\n" + b"x" * 3000,
    b"POST /predict HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n[]",
    b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n1\r\n]\r\n0\r\n\r\n",
    b"PUT /batch HTTP/1.1\r\n" + HOST + CHUNKED + b"3\r\n1\n2\r\n0\r\n\r\n",
    b"PUT /batch HTTP/1.1\r\n" + HOST + b"Content-Length: 900\r\n\r\n" + b"1\n" * 450,
    b"GET / HTTP/1.1\r\n" + HOST + b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Upgrade: h2c\r\nContent-Length: 2\r\n\r\n[]",
]
INSERTED = [b"\r\n", b"\0", b" ", b":", b"0", b"Content-Length: 9\r\n", b"Host: y\r\n", b"\xff"]
INSERTED += [
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"FFFFFFFFFFFFFFFF\r\n",
]


def nothing(_connection):
    """Ignore a connection."""


class Front:
    """Answers at once or on request; keeps the batches that are being read."""

    limits = RequestLimits(body_bytes=2000, fields=8)
    keep_alive_s = 75

    def __init__(self, rng):
        self.budget = BodyBudget(4000)
        self.rng = rng
        self.waiting, self.streams, self.defects = deque(), [], []

    def is_streamed(self, request):
        return request.method == b"PUT"

    def handle(self, connection, request):
        if request.is_streamed:
            self.streams.append(Reader(connection, request))
            connection.stream(self.streams[-1].stream)
        elif self.rng.random() < 0.5:
            self.waiting.append((connection, request))
        else:
            connection.answer(b"answer", close=not request.keep_alive)

    def answer_one(self):
        if self.waiting:
            connection, request = self.waiting.popleft()
            connection.answer(b"later", close=not request.keep_alive)

    def reject(self, connection, rejection):
        assert 400 <= rejection.status < 600
        connection.answer(b"refused", close=True)

    def defect(self, error):
        self.defects.append(error)


class Reader:
    """Reads a batch like its thread, one piece at a time."""

    def __init__(self, connection, request):
        self.connection, self.request = connection, request
        self.stream = Streamed(None, connection, request)

    def read(self, *, is_patient):
        """Read a piece; return whether it was the last one."""
        if self.request.pieces:
            self.request.pieces.popleft()
        elif self.request.is_whole or self.connection.incoming.has_ended:
            self.connection.write(b"answered")
            close = not (self.request.is_whole and self.request.keep_alive)
            self.connection.end_stream(close=close)
            return True
        elif is_patient:
            self.stream.feed()
        else:
            self.connection.end_stream(close=True)
            return True
        return False


def stream_of(rng):
    """Return a mutated stream of requests."""
    stream = bytearray(b"".join(rng.choices(REQUESTS, k=rng.randint(1, 5))))
    for _ in range(rng.choice([0, 0, 1, 2, 8])):
        place = rng.randrange(len(stream) + 1)
        match rng.randrange(3):
            case 0:
                stream[place:place] = rng.choice(INSERTED)
            case 1:
                del stream[place : place + rng.randint(1, 40)]
            case 2 if place < len(stream):
                stream[place] = rng.randrange(256)
    return bytes(stream)


class Play:
    """One client, and the events on its connection."""

    def __init__(self, rng, clock):
        self.rng, self.clock = rng, clock
        self.front, self.transport = Front(rng), Transport()
        self.connection = self.transport.connection = Connection(self.front, nothing, nothing)
        self.connection.connection_made(self.transport)
        self.unsent = stream_of(rng)
        self.is_lost = self.has_ended = False

    def run(self):
        steps = [self.send, self.send, self.answer, self.answer, self.read, self.wait, self.slow]
        for _ in range(200):
            self.rng.choice(steps)()
            self.check()
        self.end()

    def send(self):
        if self.is_lost or self.has_ended or not self.transport.is_reading:
            return
        if self.unsent:
            size = self.rng.choice([1, 7, 100, 5000])
            piece, self.unsent = self.unsent[:size], self.unsent[size:]
            self.connection.data_received(piece)
        elif self.rng.random() < 0.1:
            self.has_ended = True
            if not self.connection.eof_received():
                self.transport.close()

    def answer(self):
        self.front.answer_one()

    def read(self, *, is_patient=True):
        reading = [s for s in self.front.streams if not s.read(is_patient=is_patient)]
        self.front.streams = reading

    def wait(self):
        self.clock.now += self.rng.choice([0.01, 1, 11])
        self.pass_deadline()

    def pass_deadline(self):
        if not self.is_lost and self.connection.deadline < self.clock.now:
            self.connection.pass_deadline()

    def slow(self):
        """Stop or resume reading on the client's side."""
        if self.is_lost:
            return
        self.transport.client_reads = not self.transport.client_reads
        if self.transport.client_reads and self.transport.unsent:
            self.transport.unsent = 0
            self.connection.resume_writing()

    def check(self):
        assert not self.front.defects
        if not self.is_lost and {"close", "abort"} & {*self.transport.ended}:
            self.is_lost = True
            self.connection.connection_lost(None)

    def end(self):
        """Answer without further input; check that the connection closes and keeps nothing."""
        for _ in range(400):
            self.answer()
            self.read(is_patient=False)
            self.check()
            self.clock.now += 100
            self.pass_deadline()
            self.check()
        assert self.is_lost
        assert self.connection.phase is CLOSING
        assert not self.front.waiting
        assert not self.front.streams
        assert self.front.budget.remaining == self.front.budget.limit


def test_a_connection_survives_any_client(monkeypatch):
    clock = Clock()
    ends_at = time.monotonic() + float(SECONDS or 2)
    monkeypatch.setattr("nachlass_service.http.phases.time", clock)
    monkeypatch.setattr("nachlass_service.http.streaming.AHEAD_BYTES", 40)
    seed = int(SEED or 0) if SEED or not SECONDS else random.randrange(1 << 32)
    played = 0
    while time.monotonic() < ends_at and not (SEED and played):
        try:
            Play(random.Random(seed + played), clock).run()
        except BaseException as error:
            error.add_note(f"FUZZ_SEED={seed + played} repeats it")
            raise
        played += 1
    assert played
    print(f"{played} connections from seed {seed}")
