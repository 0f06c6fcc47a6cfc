"""A service with TLS, configured by gunicorn's own settings."""

import http.client
import json
import socket
import ssl
import subprocess
from contextlib import contextmanager

import pytest

from support.command import NACHLASS, user_environment
from support.served import LOOPS, Served, free_port, start

pytestmark = pytest.mark.needs("openssl", "make test-all")
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Return a folder with a key and a self-signed certificate for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    words += ["-nodes", "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    words += ["-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module", params=LOOPS)
def service(unruly, cache, certificate, request):
    """Yield a service configured with relative paths, as people write them."""
    relative = str(certificate).lstrip("/")  # tests start services in the root folder
    words = f"--certfile {relative}/cert.pem --keyfile {relative}/key.pem"
    variables = {"GUNICORN_CMD_ARGS": words, "WEB_CONCURRENCY": "1", **LOOPS[request.param]}
    log_file = certificate / f"{request.param}.log"
    service = start(unruly, user_environment(cache), log_file, **variables)
    try:
        service.wait_until(lambda: service.events("ready"), "the service is not ready")
        yield service
    finally:
        service.kill()


@contextmanager
def connect(service, certificate):
    context = ssl.create_default_context(cafile=certificate / "cert.pem")
    with (
        socket.create_connection(("127.0.0.1", service.port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as encrypted,
    ):
        yield encrypted


def request(service, certificate, method, path, body=None, headers=()):
    context = ssl.create_default_context(cafile=certificate / "cert.pem")
    client = http.client.HTTPSConnection("127.0.0.1", service.port, context=context, timeout=30)
    try:
        client.request(method, path, body, dict(headers))
        with client.getresponse() as response:
            return response.status, response.read()
    finally:
        client.close()


def test_the_serve_command_resolves_paths_in_the_current_folder(unruly, environ, certificate):
    log_file, port = certificate / "command.log", free_port()
    words = "--certfile cert.pem --keyfile key.pem"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [NACHLASS, "serve", unruly, "--port", str(port), "--workers", "1"],
            cwd=certificate,
            env={**environ, "GUNICORN_CMD_ARGS": words, "S2I_LOG_FORMAT": "json"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    service = Served(process, port, log_file)
    try:
        service.wait_until(lambda: service.events("ready"), "the service is not ready")
        assert request(service, certificate, "GET", "/livez")[0] == 200
    finally:
        service.kill()


def test_the_logged_url_and_curl_command_use_https(service):
    ready = service.event("ready")
    assert ready["url"] == f"https://127.0.0.1:{service.port}"
    assert f"curl -s https://127.0.0.1:{service.port}/predict" in ready["curl"]


def test_predictions_pages_and_batches_are_served(service, certificate):
    response = request(service, certificate, "POST", "/predict", b"[1]", JSON.items())
    assert response == (200, b'{"seen": [1]}\n')
    assert request(service, certificate, "GET", "/livez")[0] == 200
    status, page = request(
        service, certificate, "GET", "/", headers={"Accept": "text/html"}.items()
    )
    assert status == 200
    assert f"https://127.0.0.1:{service.port}/predict".encode() in page
    lines = b"".join(b"%d\n" % number for number in range(1000))
    kind = {"Content-Type": "application/x-ndjson"}
    status, answer = request(service, certificate, "POST", "/predict", lines, kind.items())
    assert status == 200
    predictions = [json.loads(line)["prediction"] for line in answer.splitlines()]
    assert predictions == [{"seen": number} for number in range(1000)]


def test_an_unfinished_handshake_does_not_block_other_clients(service, certificate):
    with socket.create_connection(("127.0.0.1", service.port)) as silent:
        silent.sendall(b"\x16\x03\x01")
        with socket.create_connection(("127.0.0.1", service.port)) as plain:
            plain.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert request(service, certificate, "GET", "/livez")[0] == 200


def test_a_large_response_is_complete(service, certificate):
    text = "x" * 3_000_000
    body = json.dumps(text).encode()
    status, answer = request(service, certificate, "POST", "/predict", body, JSON.items())
    assert (status, json.loads(answer)) == (200, {"seen": text})


def test_a_connection_is_reused(service, certificate):
    with connect(service, certificate) as client:
        for _ in range(3):
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            received = b""
            while b"true" not in received:
                received += client.recv(4096)
            assert received.startswith(b"HTTP/1.1 200 OK\r\n")
