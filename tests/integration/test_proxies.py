"""The service behind nginx and HAProxy, and with clients that offer HTTP/2."""

import json
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from string import Template

import pytest

from support.command import user_environment
from support.served import Served, free_port, served

JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "application/x-ndjson"}
MAX_BYTES = 1_000_000

NGINX = """
daemon off; pid $folder/pid; error_log $folder/error.log;
events {}
http {
    access_log off;
    client_max_body_size 100m; client_body_buffer_size 4m; proxy_max_temp_file_size 0;
    client_body_temp_path $folder/body; proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/f; uwsgi_temp_path $folder/u; scgi_temp_path $folder/s;
    upstream service { server 127.0.0.1:$port; keepalive 4; }
    server {
        listen 127.0.0.1:$listen;
        location / {
            proxy_pass http://service;
            proxy_http_version $version;
            proxy_set_header Connection "";
            proxy_request_buffering $buffering;
        }
    }
}
"""
HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend clients
    bind 127.0.0.1:$listen
    default_backend services
backend services
    http-reuse always
    option httpchk GET /readyz
    server one 127.0.0.1:$port check inter 100
"""


@pytest.fixture(scope="module")
def service(unruly, cache):
    variables = {"S2I_MAX_BODY_BYTES": str(MAX_BYTES), "WEB_CONCURRENCY": "1"}
    with served(unruly, user_environment(cache), **variables) as service:
        yield service


@contextmanager
def proxy(folder, command, configuration, service, **values):
    """Start a proxy for a service; yield it as a service."""
    listen = free_port()
    values |= {"folder": folder, "listen": listen, "port": service.port}
    file = folder / "configuration"
    file.write_text(Template(configuration).substitute(values), encoding="utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, file], stdout=log, stderr=log)
    front = Served(process, listen, folder / "log")
    try:
        front.wait_until(front.is_ready, "the proxy does not answer")
        yield front
    finally:
        process.terminate()
        process.wait(20)


def check(front, service):
    """Check that predictions, pages, batches and errors are the same as without a proxy."""
    before = len(connections(service))
    for number in range(30):
        assert front.predict(number) == (200, {"seen": number})
    large = "x" * 600_000
    assert front.predict(large) == (200, {"seen": large})
    assert front.request("POST", "/predict", b" " * (MAX_BYTES + 1), JSON)[0] == 413
    assert front.predict("raise")[0] == 500
    assert front.request("GET", "/metrics")[0] == 200
    lines = b"".join(b"%d\n" % number for number in range(20_000))
    status, _headers, answer = front.request("POST", "/predict", lines, LINES)
    assert status == 200
    predictions = [json.loads(line)["prediction"]["seen"] for line in answer.splitlines()]
    assert predictions == list(range(20_000))
    assert front.predict("last") == (200, {"seen": "last"})
    assert len(connections(service)) - before <= 4


def connections(service):
    """Return the kernel's lines about the service's established connections."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    port = f":{service.port:04X}"
    return [row for row in rows if row[1].endswith(port) and row[3] == "01"]


@pytest.mark.needs("nginx", "make test-all")
@pytest.mark.parametrize(("version", "buffering"), [("1.0", "on"), ("1.1", "on"), ("1.1", "off")])
def test_the_service_works_behind_nginx(service, tmp_path, version, buffering):
    command = ["nginx", "-e", tmp_path / "log", "-c"]
    values = {"version": version, "buffering": buffering}
    with proxy(tmp_path, command, NGINX, service, **values) as front:
        check(front, service)


@pytest.mark.needs("haproxy", "make test-all")
def test_the_service_works_behind_haproxy(service, tmp_path):
    with proxy(tmp_path, ["haproxy", "-db", "-f"], HAPROXY, service) as front:
        check(front, service)


@pytest.mark.needs("curl", "make test-all")
@pytest.mark.parametrize("option", ["--http2", "--http1.1", "--http1.0"])
@pytest.mark.parametrize("size", [1, 300_000])
def test_curl_works_with_every_http_version(service, option, size):
    sample = "y" * size
    words = ["curl", "-sS", option, "-H", "content-type: application/json", "-d", "@-"]
    done = subprocess.run(
        [*words, f"{service.url}/predict"],
        input=json.dumps(sample),
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    assert json.loads(done.stdout) == {"seen": sample}
