"""The phases of a connection: reading, answering, and closing."""

from types import SimpleNamespace

import pytest

from nachlass_service.http.body_budget import BodyBudget
from nachlass_service.http.connection import CONTINUE, Connection
from nachlass_service.http.head import Rejection, RequestLimits
from nachlass_service.http.phases import (
    ANSWERING,
    BODY,
    CLOSING,
    HEAD,
    IDLE,
    LINGERING,
    PHASES,
    STREAMING,
    WRITING,
)
from nachlass_service.http.streaming import Streamed
from support.transport import Clock, Transport

LIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
HALF = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n[1"


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("nachlass_service.http.phases.time", clock)
    return clock


class Front:
    """Records requests; answers at once with `at_once` if it is set."""

    limits = RequestLimits(body_bytes=1 << 20)
    keep_alive_s = 75

    def __init__(self, at_once=None):
        self.budget = BodyBudget(1 << 20)
        self.at_once = at_once
        self.handed, self.refused, self.defects = [], [], []

    def is_streamed(self, request):
        return request.method == b"PUT"

    def handle(self, connection, request):
        self.handed.append(request)
        if self.at_once:
            connection.answer(self.at_once, close=not request.keep_alive)

    def reject(self, connection, rejection):
        self.refused.append(rejection)
        connection.answer(b"refused", close=True)

    def defect(self, error):
        self.defects.append(error)


@pytest.fixture
def connect():
    def connect(at_once=None):
        front, transport = Front(at_once), Transport()
        told = []
        connection = Connection(
            front, lambda _: told.append("opened"), lambda _: told.append("closed")
        )
        transport.connection = connection
        connection.connection_made(transport)
        return SimpleNamespace(
            front=front,
            transport=transport,
            connection=connection,
            told=told,
            send=connection.data_received,
        )

    return connect


def test_every_phase_can_be_reached_and_can_end_in_closing():
    assert len({phase.name for phase in PHASES}) == len(PHASES)
    for phase in PHASES:
        assert phase.following <= {*PHASES}
        assert phase is CLOSING or CLOSING in phase.following
        assert phase is IDLE or any(phase in other.following for other in PHASES)


def test_an_undefined_transition_is_a_defect(connect):
    client = connect()
    with pytest.raises(AssertionError, match="writing after idle"):
        client.connection.enter(WRITING)


# Reading.


def test_a_request_goes_through_its_phases(connect, clock):
    client = connect()
    assert client.connection.phase is IDLE
    client.send(HALF[:20])
    assert client.connection.phase is HEAD
    client.send(HALF[20:])
    assert client.connection.phase is BODY
    client.send(b",2,3,45]")
    assert client.connection.phase is ANSWERING
    [request] = client.front.handed
    assert request.body == b"[1,2,3,45]"
    client.connection.answer(b"42", close=False)
    assert client.connection.phase is IDLE
    assert client.transport.sent == b"42"
    assert client.connection.deadline == clock.now + 75


def test_requests_are_answered_one_at_a_time(connect):
    client = connect()
    client.send(2 * LIVE + HALF)
    assert len(client.front.handed) == 1
    client.connection.answer(b"1", close=False)
    assert len(client.front.handed) == 2
    client.connection.answer(b"2", close=False)
    assert client.connection.phase is BODY
    assert client.transport.sent == b"12"


def test_many_immediate_responses_do_not_recurse(connect):
    client = connect(at_once=b".")
    client.send(5000 * LIVE)
    assert client.transport.sent == b"." * 5000
    assert client.connection.phase is IDLE
    assert client.transport.is_reading


def test_data_received_while_answering_stays_unparsed(connect):
    client = connect()
    client.send(LIVE)
    client.send(LIVE)
    client.send(LIVE[:9])
    assert not client.transport.is_reading
    assert len(client.front.handed) == 1
    client.connection.answer(b"1", close=False)
    client.connection.answer(b"2", close=False)
    assert client.connection.phase is HEAD
    assert client.transport.is_reading
    client.send(LIVE[9:])
    assert len(client.front.handed) == 3


def test_a_flood_of_requests_is_parsed_in_pieces(connect):
    client = connect()
    client.send(10_000 * LIVE)
    assert not client.transport.is_reading
    assert len(client.connection._parser.requests) < (1 << 16) / len(LIVE)


def test_a_client_can_wait_for_100_continue(connect):
    client = connect()
    head = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    client.send(head)
    assert client.transport.sent == CONTINUE
    client.send(b"[]")
    client.connection.answer(b"!", close=False)
    client.send(head + b"[]")
    assert client.transport.sent == CONTINUE + b"!"


# Ends.


def test_an_invalid_request_is_rejected_after_the_previous_ones(connect):
    client = connect()
    client.send(LIVE + b"nonsense\r\n\r\n")
    assert not client.front.refused
    client.connection.answer(b"1", close=False)
    assert [rejection.status for rejection in client.front.refused] == [400]
    assert client.transport.sent == b"1refused"
    assert client.connection.phase is LINGERING
    assert client.transport.ended == ["eof"]
    client.send(b"more that nobody reads")
    assert client.transport.is_reading
    assert not client.connection.eof_received()


def test_the_last_response_closes_the_connection(connect):
    client = connect(at_once=b"1")
    client.send(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert client.connection.phase is CLOSING
    assert client.transport.ended == ["close"]


@pytest.mark.parametrize("sent", [b"", LIVE[:9]])
def test_a_client_that_disconnects_before_a_request_gets_no_response(connect, sent):
    client = connect()
    client.send(sent)
    assert not client.connection.eof_received()


def test_a_client_that_disconnects_within_a_body_gets_an_error(connect):
    client = connect()
    client.send(HALF)
    assert client.connection.eof_received()
    [request] = client.front.handed
    assert request.error.status == 408
    assert not request.keep_alive


def test_a_client_that_closes_after_its_request_is_answered_and_disconnected(connect):
    client = connect()
    client.send(LIVE)
    assert client.connection.eof_received()
    client.connection.answer(b"1", close=False)
    assert client.transport.sent == b"1"
    assert client.transport.ended == ["close"]


def test_nothing_is_kept_of_a_disconnected_client(connect):
    client = connect()
    client.send(HALF[:60])
    client.send(HALF[60:] + b",")
    client.send(b"2,")
    assert client.front.budget.remaining < client.front.budget.limit
    client.connection.connection_lost(None)
    assert client.connection.phase is CLOSING
    assert client.front.budget.remaining == client.front.budget.limit


def test_a_body_is_released_whether_or_not_its_client_is_answered(connect):
    client = connect()
    client.send(HALF)
    client.send(b",2,")
    client.send(b"3,45]")
    assert client.front.budget.remaining < client.front.budget.limit
    client.connection.connection_lost(None)
    assert client.front.budget.remaining == client.front.budget.limit
    client.connection.answer(b"42", close=False)
    assert client.front.budget.remaining == client.front.budget.limit
    assert client.transport.sent == b""


def test_data_after_the_last_response_is_discarded(connect):
    client = connect()
    client.send(b"nonsense\r\n\r\n")
    for _ in range(3):
        client.send(b"x" * (1 << 20))
        assert client.transport.is_reading
    assert not client.connection.incoming.is_waiting


def test_a_defect_after_a_response_closes_only_one_connection(connect):
    client = connect()
    client.send(LIVE)
    client.send(LIVE)
    client.front.handle = None
    client.connection.answer(b"1", close=False)
    [error] = client.front.defects
    assert isinstance(error, TypeError)
    assert client.transport.sent == b"1"
    assert client.transport.ended == ["abort"]


def test_a_connection_can_be_turned_away(connect):
    client = connect()
    client.connection.reject(503, "there are too many")
    assert client.front.refused == [Rejection(503, "there are too many")]
    assert client.connection.phase is LINGERING


def test_a_defect_closes_only_one_connection(connect):
    client = connect()
    client.front.handle = None
    client.send(LIVE)
    [error] = client.front.defects
    assert isinstance(error, TypeError)
    assert client.transport.ended == ["abort"]


# Deadlines.


def late(client, clock, seconds):
    clock.now += seconds
    is_late = client.connection.deadline < clock.now
    if is_late:
        client.connection.pass_deadline()
    return is_late


def seconds_until_late(client, clock, piece):
    """Return the seconds until a client that sends a piece each second times out."""
    seconds = 0
    while not late(client, clock, 1):
        client.send(piece)
        seconds += 1
    return seconds


def test_a_new_client_has_ten_seconds_to_start(connect, clock):
    client = connect()
    assert not late(client, clock, 9)
    assert late(client, clock, 2)
    assert client.transport.ended == ["close"]


def test_a_head_must_be_complete_within_ten_seconds(connect, clock):
    client = connect()
    for place in range(9):
        client.send(LIVE[place : place + 1])
        clock.now += 1
    assert not late(client, clock, 0.5)
    assert late(client, clock, 1)
    assert client.transport.ended == ["abort"]


def test_an_interrupted_body_gets_an_error(connect, clock):
    client = connect()
    client.send(HALF)
    assert not late(client, clock, 9)
    assert late(client, clock, 2)
    [request] = client.front.handed
    assert request.error.status == 408


def test_a_body_needs_a_minimum_rate(connect, clock):
    client = connect()
    client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n[")
    assert 10 <= seconds_until_late(client, clock, b" " * 1000) < 12


def test_a_body_over_the_limit_is_read_for_five_seconds(connect, clock):
    client = connect()
    client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000000\r\n\r\n[")
    assert seconds_until_late(client, clock, b" " * 60_000) == 5
    [request] = client.front.handed
    assert request.error.status == 413
    assert not request.keep_alive
    client.connection.answer(b"413", close=True)
    assert client.connection.phase is LINGERING


def test_a_slow_predictor_does_not_time_out_the_client(connect, clock):
    client = connect()
    client.send(LIVE)
    assert not late(client, clock, 10_000)


def test_a_client_that_stops_reading_is_disconnected(connect, clock):
    client = connect()
    client.transport.client_reads = False
    client.send(LIVE)
    client.connection.answer(b"x" * 100, close=False)
    assert client.connection.phase is WRITING
    clock.now += 9
    client.transport.unsent = 50
    assert late(client, clock, 2)
    assert client.transport.ended == []
    assert not late(client, clock, 9)
    assert late(client, clock, 2)
    assert client.transport.ended == ["abort"]


def test_a_client_that_resumes_reading_is_served_again(connect):
    client = connect()
    client.transport.client_reads = False
    client.send(LIVE)
    client.connection.answer(b"x" * 100, close=False)
    client.send(LIVE)
    assert len(client.front.handed) == 1
    client.transport.client_reads = True
    client.connection.resume_writing()
    assert len(client.front.handed) == 2


def test_a_client_that_does_not_read_its_last_response_is_disconnected(connect, clock):
    client = connect()
    client.send(b"nonsense\r\n\r\n")
    assert client.connection.phase is LINGERING
    assert late(client, clock, 3)
    assert client.transport.ended == ["eof", "abort"]


# Batches.


class Stream(Streamed):
    """A batch whose thread does nothing; records calls of `block` and `unblock`."""

    def __init__(self, client):
        [request] = client.front.handed
        super().__init__(None, client.connection, request)
        self.request, self.told = request, []
        client.connection.stream(self)

    def block(self):
        self.told.append("block")

    def unblock(self):
        self.told.append("unblock")

    def was_woken(self):
        woken = self._has_come.is_set()
        self._has_come.clear()
        return woken


PUT = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"


def test_the_body_of_a_batch_is_read_while_there_is_space(connect, monkeypatch):
    monkeypatch.setattr("nachlass_service.http.streaming.AHEAD_BYTES", 3)
    client = connect()
    client.send(PUT + b"123")
    stream = Stream(client)
    assert client.connection.phase is STREAMING
    assert list(stream.request.pieces) == [b"123"]
    assert not client.transport.is_reading
    client.send(b"45")
    assert list(stream.request.pieces) == [b"123"]
    stream.request.pieces.clear()
    stream.feed()
    assert list(stream.request.pieces) == [b"45"]
    assert client.transport.is_reading


def test_a_batch_is_woken_only_by_new_data(connect):
    client = connect()
    client.send(PUT)
    stream = Stream(client)
    stream.feed()
    assert not stream.was_woken()
    client.send(b"123")
    assert stream.was_woken()
    stream.request.pieces.clear()
    stream.feed()
    assert not stream.was_woken()
    client.connection.eof_received()
    assert stream.was_woken()


def test_a_batch_has_not_ended_while_data_is_waiting(connect, monkeypatch):
    monkeypatch.setattr("nachlass_service.http.streaming.AHEAD_BYTES", 3)
    client = connect()
    client.send(PUT + b"123")
    stream = Stream(client)
    client.send(b"4567890")
    client.connection.eof_received()
    assert not client.connection.incoming.has_ended
    stream.request.pieces.clear()
    stream.feed()
    assert client.connection.incoming.has_ended
    assert stream.is_whole


def test_a_batch_with_invalid_chunks_has_ended(connect):
    client = connect()
    client.send(PUT.replace(b"Content-Length: 10", b"Transfer-Encoding: chunked"))
    stream = Stream(client)
    assert not client.connection.incoming.has_ended
    client.send(b"ZZ\r\n")
    assert client.connection.incoming.has_ended
    assert stream.was_woken()


def test_a_request_after_a_batch_waits_for_its_end(connect):
    client = connect()
    client.send(PUT)
    stream = Stream(client)
    client.send(b"0123456789" + LIVE)
    assert stream.is_whole
    client.send(LIVE)
    client.connection.write(b"answer")
    client.connection.end_stream(close=False)
    assert client.transport.sent == b"answer"
    assert len(client.front.handed) == 2
    client.connection.answer(b"1", close=False)
    assert len(client.front.handed) == 3


def test_a_batch_is_notified_of_a_slow_or_disconnected_client(connect):
    client = connect()
    client.send(PUT)
    stream = Stream(client)
    assert not stream.was_woken()
    client.connection.pause_writing()
    client.connection.resume_writing()
    client.connection.connection_lost(None)
    assert stream.told == ["block", "unblock"]
    assert client.told == ["opened", "closed"]
    assert stream.was_woken()
    assert client.connection.incoming.has_ended
    client.connection.write(b"nobody")
    client.connection.end_stream(close=False)
    assert client.transport.sent == b""


def test_a_batch_can_wait_for_100_continue(connect):
    client = connect()
    client.send(PUT.replace(b"Host", b"Expect: 100-continue\r\nHost"))
    Stream(client)
    assert client.transport.sent == CONTINUE
