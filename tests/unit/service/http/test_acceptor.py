"""Connections are accepted, shared among workers, and closed to make room."""

import asyncio
import socket
import time
from types import SimpleNamespace

import pytest

from nachlass_service.http.acceptor import SLACK, Acceptor
from nachlass_service.http.balance import Balance
from nachlass_service.http.body_budget import BodyBudget
from nachlass_service.http.head import RequestLimits
from nachlass_service.http.phases import IDLE

PATIENCE_S = 20
LIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


class Front:
    limits = RequestLimits(body_bytes=1000)
    budget = BodyBudget(1000)
    keep_alive_s = 75

    def is_streamed(self, request):
        return False

    def handle(self, connection, request):
        connection.answer(b"yes", close=False)

    def reject(self, connection, rejection):
        connection.answer(b"%d" % rejection.status, close=True)


@pytest.fixture
def made():
    loop = asyncio.new_event_loop()
    front, balance = Front(), Balance()
    balance.prepare(0)
    balance.prepare(1)
    listener = socket.create_server(("127.0.0.1", 0))
    clients, acceptors = [], []

    def make(most=100):
        acceptor = Acceptor(loop, front, balance, limit=most)
        acceptor.open([listener])
        acceptors.append(acceptor)
        return acceptor

    async def until(holds):
        ends_at = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < ends_at, "timed out"
            await asyncio.sleep(0.001)

    def connect():
        client = socket.create_connection(listener.getsockname())
        client.settimeout(0)
        clients.append(client)
        return client

    def received(client):
        data = []

        def has_come():
            try:
                data.append(client.recv(1000))
            except BlockingIOError:
                return False
            return True

        loop.run_until_complete(until(has_come))
        return data[0]

    yield SimpleNamespace(
        make=make,
        connect=connect,
        received=received,
        until=lambda holds: loop.run_until_complete(until(holds)),
        balance=balance,
        listener=listener,
        loop=loop,
    )
    for client in clients:
        client.close()
    loop.run_until_complete(until(lambda: not any(a.connections or a._tasks for a in acceptors)))
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    listener.close()


def test_clients_are_counted_across_workers(made):
    acceptor = made.make()
    for number in range(1, 4):
        made.connect()
        made.until(lambda number=number: made.balance._cells[1] == number + 1)
        made.until(lambda number=number: len(acceptor.connections) == number)
    [connection, *_] = acceptor.connections
    connection.close()
    made.until(lambda: made.balance._cells[1] == 3)
    assert len(acceptor.connections) == 2


def test_a_worker_with_fewer_connections_goes_first_once(made, monkeypatch):
    acceptor = made.make()
    for number in range(1, SLACK + 2):
        made.connect()
        made.until(lambda number=number: len(acceptor.connections) == number)
    made.balance._cells[2] = 1  # another worker, without connections
    stepped_back = []
    monkeypatch.setattr(acceptor, "_close_for", stepped_back.append)
    acceptor._accept_client(made.listener)
    assert len(stepped_back) == 1
    made.connect()
    made.until(lambda: len(acceptor.connections) == SLACK + 2)
    assert len(stepped_back) == 1


def test_the_number_of_handshakes_is_limited_by_the_connection_limit(made):
    acceptor = made.make(most=2)
    handshakes = {object(), object()}
    acceptor._tasks |= handshakes
    made.connect()
    acceptor._accept_client(made.listener)
    assert acceptor._tasks == handshakes
    acceptor._tasks -= handshakes
    made.until(lambda: len(acceptor.connections) == 1)


def test_the_connection_idle_longest_is_closed_to_make_room(made):
    acceptor = made.make(most=2)
    first, second = made.connect(), made.connect()
    for client in (second, first):
        client.send(LIVE)
        assert made.received(client) == b"yes"
    third = made.connect()
    third.send(LIVE)
    assert made.received(third) == b"yes"
    assert made.received(second) == b""
    assert len(acceptor.connections) == 2


def test_a_new_client_is_turned_away_if_no_connection_is_idle(made):
    acceptor = made.make(most=1)
    busy = made.connect()
    busy.send(LIVE[:9])
    made.until(lambda: any(c.phase is not IDLE for c in acceptor.connections))
    assert made.received(made.connect()) == b"503"
    busy.send(LIVE[9:])
    assert made.received(busy) == b"yes"


def test_a_drain_accepts_waiting_clients_and_closes_idle_connections(made):
    acceptor = made.make()
    acceptor._stop_listening()
    waiting = made.connect()
    waiting.send(LIVE)
    acceptor.drain()
    assert acceptor.is_draining
    assert made.balance._cells[1] == 0
    assert made.received(waiting) == b"yes"
    assert made.received(waiting) == b""
    made.until(lambda: acceptor.is_empty)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(waiting.getpeername())


def test_a_worker_that_drains_before_it_opens_accepts_no_clients(made):
    acceptor = made.make()
    acceptor.drain()
    acceptor.open([made.listener])
    assert acceptor._listeners == []


def test_a_drain_does_not_wait_for_unfinished_clients(made):
    acceptor = made.make()
    client = made.connect()
    client.send(LIVE[:9])
    made.until(
        lambda: acceptor.connections and all(c.phase is not IDLE for c in acceptor.connections)
    )
    acceptor.drain()
    acceptor.tick(time.monotonic() + 4)
    made.until(lambda: acceptor.is_empty)


def test_slow_clients_are_disconnected(made):
    acceptor = made.make()
    client = made.connect()
    made.until(lambda: acceptor.connections)
    acceptor.tick(time.monotonic())
    assert acceptor.connections
    acceptor.tick(time.monotonic() + 11)
    assert made.received(client) == b""


def test_time_without_the_loop_does_not_count_against_clients(made):
    acceptor = made.make()
    made.connect()
    made.until(lambda: len(acceptor.connections) == 1)
    [connection] = acceptor.connections
    before = connection.deadline
    acceptor.extend_deadlines(12.5)
    assert connection.deadline == before + 12.5


def test_an_endless_handshake_does_not_delay_the_shutdown(made):
    acceptor = made.make()
    acceptor.drain()

    async def handshake():
        await asyncio.sleep(PATIENCE_S)

    task = made.loop.create_task(handshake())
    acceptor._tasks.add(task)
    task.add_done_callback(acceptor._end_handshake)
    acceptor.tick(time.monotonic())
    assert not acceptor.is_empty
    acceptor.tick(acceptor._gives_up_at + 1)
    made.until(lambda: acceptor.is_empty)
    assert task.cancelled()
