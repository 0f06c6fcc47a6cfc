"""HTTP on each event loop: responses to well-behaved, odd and hostile clients."""

import json
import os
import signal
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from support.command import user_environment
from support.served import LOOPS, served

POST = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
LIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module", params=LOOPS)
def service(unruly, cache, request):
    variables = {"S2I_MAX_BODY_BYTES": "1000000", "GUNICORN_CMD_ARGS": "--keep-alive 2"}
    variables |= LOOPS[request.param]
    with served(unruly, user_environment(cache), WEB_CONCURRENCY="2", **variables) as service:
        loaded = Path(f"/proc/{service.workers[0]}/maps").read_text()
        assert ("uvloop" in loaded) == (request.param == "uvloop")
        yield service


def connect(service):
    return socket.create_connection(("127.0.0.1", service.port), timeout=30)


def predict(body, *headers):
    lines = b"".join(header + b"\r\n" for header in headers)
    return POST + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body


def read_rest(connection):
    """Read until the service closes the connection."""
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


def read_until(connection, end):
    received = b""
    while end not in received:
        piece = connection.recv(65536)
        assert piece, received
        received += piece
    return received


def exchange(service, *pieces):
    """Send pieces one by one, and read until the service closes the connection."""
    with connect(service) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.02)
        return read_rest(connection)


def test_pipelined_requests_are_answered_in_order(service):
    numbers = range(300)
    requests = b"".join(predict(b"%d" % n) + LIVE for n in numbers)
    page = b"GET /model HTTP/1.1\r\nHost: x\r\n\r\n"
    response = exchange(service, page + requests + predict(b'"last"', b"Connection: close"))
    bodies = [part.splitlines()[-1] for part in response.split(b"HTTP/1.1 ")[1:]]
    assert json.loads(bodies[0])["name"]
    seen = [json.loads(body) for body in bodies[1:]]
    assert seen == [
        *[answer for n in numbers for answer in ({"seen": n}, {"live": True})],
        {"seen": "last"},
    ]


def test_garbage_after_a_request_does_not_affect_its_response(service):
    response = exchange(service, predict(b"1") + b"GARBAGE\r\n\r\n")
    assert response.startswith(b"HTTP/1.1 200")
    assert b'{"seen": 1}' in response
    assert b"HTTP/1.1 400" in response


def test_a_request_may_arrive_byte_by_byte(service):
    data = predict(b'["bits"]', b"Connection: close")
    assert b'{"seen": ["bits"]}' in exchange(service, *[bytes([byte]) for byte in data])
    chunked = b"2\r\n[1\r\n1\r\n]\r\n0\r\nTrailer: x\r\n\r\n"
    head = POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    assert b'{"seen": [1]}' in exchange(service, head, *[bytes([byte]) for byte in chunked])


def test_expect_100_continue_is_answered_before_the_body(service):
    head = POST + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    with connect(service) as connection:
        connection.sendall(head % 1)
        assert read_until(connection, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"1")
        assert b'{"seen": 1}' in read_rest(connection)
    assert exchange(service, head % 2_000_000).startswith(b"HTTP/1.1 413")


def test_an_unsupported_transfer_encoding_is_rejected(service):
    coded = POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n"
    assert exchange(service, coded).startswith(b"HTTP/1.1 501")


def test_the_size_of_trailers_is_limited(service):
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\nX: "
    with connect(service) as connection, suppress(OSError):
        connection.sendall(head + b"a" * 1_000_000)
        assert read_rest(connection).startswith(b"HTTP/1.1 431")


def test_two_host_headers_are_rejected(service):
    twice = b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"
    assert exchange(service, twice).startswith(b"HTTP/1.1 400")


def test_http_1_0_clients_are_supported(service):
    old = POST.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Content-Length: 1\r\n"
    assert b'{"seen": 1}' in exchange(service, old + b"\r\n1")
    kept = old + b"Connection: keep-alive\r\n\r\n1"
    response = exchange(service, kept, old + b"\r\n2")
    assert response.lower().count(b"connection: keep-alive") == 1
    assert b'{"seen": 2}' in response


def test_a_head_response_has_no_body(service):
    response = exchange(service, b"HEAD /model HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, body = response.split(b"\r\n\r\n", 1)
    assert b"Content-Length: " in head
    assert b"Content-Length: 0" not in head
    assert body == b""


def test_a_half_closed_connection_gets_its_response(service):
    with connect(service) as connection:
        connection.sendall(predict(b'{"sleep": 0.3}'))
        connection.shutdown(socket.SHUT_WR)
        assert b"200 OK" in read_rest(connection)


@pytest.mark.parametrize(
    "target", [b"/predict?a=b", b"/predict/", b"/%70redict", b"http://x/predict"]
)
def test_other_spellings_of_a_path_are_accepted(service, target):
    data = predict(b"1", b"Connection: close").replace(b"/predict", target, 1)
    assert b'{"seen": 1}' in exchange(service, data)


def test_protocol_upgrades_and_connect_are_not_supported(service):
    headers = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AA")
    with connect(service) as connection:
        connection.sendall(predict(b"1", *headers))
        assert read_until(connection, b"}\n").endswith(b'{"seen": 1}\n')
    assert exchange(service, b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 40")


def test_long_targets_and_headers_are_rejected(service):
    request = b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    assert exchange(service, request).startswith(b"HTTP/1.1 414")
    many = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 200 + b"\r\n"
    assert exchange(service, many).startswith(b"HTTP/1.1 431")
    endless = b"GET / HTTP/1.1\r\nX: " + b"y" * 200_000
    assert exchange(service, endless).startswith(b"HTTP/1.1 431")


def test_a_slow_reader_gets_every_response(service):
    large = b'"' + b"x" * 900_000 + b'"'
    with connect(service) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        for _ in range(3):
            connection.sendall(predict(large))
        time.sleep(0.5)
        assert b"200 OK" in read_until(connection, b"x" * 1000)
        connection.sendall(predict(b"2", b"Connection: close"))
        assert read_rest(connection).endswith(b'{"seen": 2}\n')


def test_idle_connections_are_closed(service):
    with ExitStack() as opened:
        connections = [opened.enter_context(connect(service)) for _ in range(3)]
        connections[1].sendall(LIVE)
        assert b"true" in read_until(connections[1], b"}\n")
        connections[2].sendall(LIVE + b"GET / HT")
        assert b"true" in read_until(connections[2], b"}\n")
        assert [read_rest(connection) for connection in connections] == [b""] * 3
    assert not service.events("gunicorn")


def test_disconnected_clients_do_not_affect_other_requests(service, tmp_path):
    trace = tmp_path / "touched"
    with connect(service) as slow:
        slow.sendall(predict(b'{"sleep": 0.5}'))
        time.sleep(0.1)
        for _ in range(4):  # two workers: at least one request waits for the slow one
            with connect(service) as leaving:
                leaving.sendall(predict(b"1"))
                leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert b"200 OK" in read_until(slow, b"}\n")
    assert service.predict({"touch": str(trace)})[0] == 200
    assert trace.exists()


def test_the_longest_idle_connection_is_closed_for_a_new_one(unruly, environ):
    variables = {"GUNICORN_CMD_ARGS": "--worker-connections 3", "WEB_CONCURRENCY": "1"}
    with served(unruly, environ, **variables) as service, ExitStack() as opened:
        service.wait_until(lambda: b"200" in exchange(service, closing(LIVE)), "no response")
        kept = [opened.enter_context(connect(service)) for _ in range(3)]
        for connection in (kept[1], kept[0], kept[2]):
            connection.sendall(LIVE)
            assert b"true" in read_until(connection, b"}\n")
        newcomer = opened.enter_context(connect(service))
        newcomer.sendall(LIVE)
        assert b"true" in read_until(newcomer, b"}\n")
        assert read_rest(kept[1]) == b""
        assert service.event("connections")["limit"] == 3
        busy = (kept[0], kept[2], newcomer)
        for connection in busy:
            connection.sendall(predict(b'{"sleep": 2}'))
        time.sleep(0.5)
        response = exchange(service)
        assert response.startswith(b"HTTP/1.1 503")
        assert b"Retry-After" in response
        for connection in busy:
            assert b"200 OK" in read_until(connection, b"}\n")


def closing(request):
    return request.replace(b"Host: x", b"Host: x\r\nConnection: close")


def test_health_is_answered_while_the_only_worker_predicts(unruly, environ):
    variables = {"WEB_CONCURRENCY": "1", "S2I_PREDICT_TIMEOUT": "5"}
    with served(unruly, environ, **variables) as service, connect(service) as connection:
        connection.sendall(predict(b'"spin"'))  # pure Python until the timeout
        time.sleep(0.2)
        for path in ("/livez", "/readyz", "/metrics", "/model"):
            assert service.request("GET", path)[0] == 200
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):  # no answer yet
            connection.recv(1)
        connection.settimeout(30)
        assert read_until(connection, b"}\n").startswith(b"HTTP/1.1 504")


def test_connections_are_distributed_over_the_workers(unruly, environ):
    with served(unruly, environ, WEB_CONCURRENCY="2") as service:
        # Usually four each; a busy core may delay one worker.
        service.wait_until(
            lambda: min(connections_per_worker(service)) >= 2, "one worker has them all"
        )


def connections_per_worker(service):
    """Open eight connections; return the number that each worker has."""
    workers = []
    with ExitStack() as opened:
        for _ in range(8):
            connection = opened.enter_context(connect(service))
            connection.sendall(predict(b'"pid"'))
            response = read_until(connection, b"\r\n\r\n")
            body = response.partition(b"\r\n\r\n")[2] or read_until(connection, b"\n")
            workers.append(int(body))
    return [workers.count(worker) for worker in service.workers]


def test_shutdown_is_quick_with_open_connections(unruly, environ):
    with served(unruly, environ, WEB_CONCURRENCY="2") as service, ExitStack() as opened:
        for sent in (b"", LIVE, b"GET / HT", POST, POST + b"Content-Length: 9\r\n\r\n[", LIVE * 50):
            connection = opened.enter_context(connect(service))
            connection.sendall(sent)
        time.sleep(0.3)
        last = opened.enter_context(connect(service))
        last.sendall(predict(b'{"sleep": 0.5}'))
        time.sleep(0.2)
        os.kill(service.pid, signal.SIGTERM)
        assert b"200 OK" in read_rest(last)
        assert service.process.wait(20) == 0


def test_the_access_log_can_be_enabled(unruly, environ):
    variables = {"GUNICORN_CMD_ARGS": "--access-logfile -", "WEB_CONCURRENCY": "1"}
    with served(unruly, environ, **variables) as service:
        service.predict(1)
        service.wait_until(
            lambda: '"POST /predict HTTP/1.1" 200' in service.log_file.read_text(), "no access log"
        )
