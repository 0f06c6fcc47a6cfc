"""A batch's body and answer, passed between its thread and the loop."""

import asyncio
import threading
from collections import deque

import pytest

from nachlass_service.http import streaming
from nachlass_service.http.request import Request
from nachlass_service.http.streaming import AHEAD_BYTES, ClientGoneError, Streamed

PATIENCE_S = 20


class Incoming:
    """Sends a piece of `more` on each request for more; None is the end."""

    is_waiting = has_ended = False

    def __init__(self, request):
        self.request, self.more = request, deque()
        self.is_paused = False

    def pause(self):
        self.is_paused = True

    def resume(self):
        self.is_paused = False
        if self.more:
            piece = self.more.popleft()
            if piece is None:
                self.request.is_whole = True
            else:
                self.request.pieces.append(piece)


class Client:
    """Records the data sent."""

    def __init__(self, request):
        self.sent, self.is_open = [], True
        self.incoming = Incoming(request)

    def write(self, data):
        self.sent.append(data)


@pytest.fixture
def streamed(monkeypatch):
    """Return a stream, and a function that runs work with it in a thread while the loop runs."""
    loop = asyncio.new_event_loop()
    request = Request()
    request.pieces = deque()
    client = Client(request)
    stream = Streamed(loop, client, request)

    def do(work):
        found = []

        def work_and_stop():
            try:
                found.append(work())
            except OSError as error:
                found.append(error)
            loop.call_soon_threadsafe(loop.stop)

        threading.Thread(target=work_and_stop, daemon=True).start()
        loop.call_later(PATIENCE_S, loop.stop)
        loop.run_forever()
        assert found, "timed out"
        return found[0]

    yield stream, client, do
    loop.close()


def test_a_body_is_read_to_its_end(streamed):
    stream, client, do = streamed
    stream._request.pieces.extend([b"abc", b"de"])
    client.incoming.more.extend([b"fgh", None])
    assert do(lambda: stream.read(2)) == b"ab"
    assert do(lambda: stream.read(9)) == b"c"
    assert do(stream.readall) == b"defgh"
    assert do(lambda: stream.read(1)) == b""
    assert stream.is_whole


def test_the_data_read_ahead_is_limited(streamed):
    stream, client, do = streamed
    stream.feed()
    assert not client.incoming.is_paused
    stream._request.pieces.append(b"x" * AHEAD_BYTES)
    stream.feed()
    assert client.incoming.is_paused
    client.incoming.more.extend([b"de", None])
    assert len(do(stream.readall)) == AHEAD_BYTES + 2
    assert not client.incoming.is_paused
    stream.feed()
    assert client.incoming.is_paused, "the next request does not belong to the batch"


def test_a_client_that_disconnects_too_early_is_an_error(streamed):
    stream, client, do = streamed
    client.incoming.has_ended = True
    stream._request.pieces.append(b"abc")
    assert do(lambda: stream.read(3)) == b"abc"
    error = do(lambda: stream.read(1))
    assert isinstance(error, ClientGoneError)
    assert str(error) == "the body ended before it was complete"


def test_a_silent_client_is_an_error(streamed, monkeypatch):
    monkeypatch.setattr(streaming, "SILENCE_S", 0.01)
    stream, _client, do = streamed
    assert isinstance(do(lambda: stream.read(1)), ClientGoneError)


def test_a_response_is_sent_in_pieces(streamed):
    stream, client, do = streamed
    do(lambda: stream.send(200, b"head", [b"abc", b"", b"de"], chunked=False))
    assert client.sent == [b"head", b"abc", b"de"]
    assert (stream.status, stream.sent) == (200, 5)


def test_a_response_without_a_length_is_sent_in_chunks(streamed):
    stream, client, do = streamed
    do(lambda: stream.send(200, b"head", [b"abc", b"x" * 17], chunked=True))
    chunks = [b"head", b"3\r\nabc\r\n", b"11\r\n" + b"x" * 17 + b"\r\n", b"0\r\n\r\n"]
    assert client.sent == chunks


def test_a_client_that_does_not_read_is_an_error(streamed, monkeypatch):
    monkeypatch.setattr(streaming, "WRITE_S", 0.01)
    stream, _client, do = streamed
    stream.block()
    error = do(lambda: stream.send(200, b"head", [b"abc"], chunked=False))
    assert isinstance(error, ClientGoneError)


def test_a_client_that_disconnects_during_a_wait_is_an_error(streamed):
    stream, client, do = streamed
    stream.block()

    def leave():
        client.is_open = False
        stream.feed()

    stream._loop.call_later(0.01, leave)
    error = do(lambda: stream.send(200, b"head", [b"abc"], chunked=False))
    assert isinstance(error, ClientGoneError)


def test_a_worker_that_has_exited_is_an_error():
    loop = asyncio.new_event_loop()
    loop.close()
    stream = Streamed(loop, Client(Request()), Request())
    with pytest.raises(ClientGoneError, match="the worker has ended"):
        stream.send(200, b"head", [], chunked=False)
