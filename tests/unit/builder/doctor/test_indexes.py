"""The index checks of `nachlass doctor`, with a real uv and local servers."""

import os
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from nachlass_builder.doctor import indexes as module
from nachlass_builder.doctor.indexes import check_indexes
from nachlass_builder.packages.pip_settings import IndexSettings

pytestmark = pytest.mark.starts_programs

SECRET = "correct-horse"


@contextmanager
def server(status, *, seconds=0.0, headers=()):
    """Run a server that sends the same response to every request."""
    requests, ended = [], threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append((self.path, self.headers.get("Authorization")))
            ended.wait(seconds)
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{served.server_port}", requests
        finally:
            ended.set()
            served.shutdown()


@pytest.fixture
def check(tmp_path):
    """Return a function that checks the indexes with these variables and no other settings."""

    def check(**variables):
        environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "UV_NO_CONFIG": "1"}
        environ |= {"PIP_CONFIG_FILE": os.devnull, **variables}
        return list(check_indexes(IndexSettings.read(environ, None)))

    return check


def test_an_index_without_the_package_is_reachable(check):
    with server(404) as (address, requests):
        [found] = check(PIP_INDEX_URL=f"http://me:{SECRET}@{address}/simple")
    assert (found.state, found.exit_code) == ("ok", 0)
    assert found.message == f"http://{address}/simple answers"
    assert [path for path, _ in requests] == ["/simple/pip/"]
    assert any(authorization for _, authorization in requests), "sent without credentials"


@pytest.mark.parametrize(("status", "words"), [(401, "401 Unauthorized"), (403, "403 Forbidden")])
def test_an_index_that_denies_access_is_an_error(check, status, words):
    with server(status) as (address, _asked):
        [found] = check(PIP_INDEX_URL=f"http://me:{SECRET}@{address}/simple")
    assert (found.state, found.exit_code) == ("error", 5)
    assert found.message == f"http://{address}/simple answers {words}"
    assert "~/.netrc" in found.remedy
    assert SECRET not in repr(found)


def test_an_unreachable_index_is_an_error(check):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        [found] = check(PIP_INDEX_URL=f"http://127.0.0.1:{bound.getsockname()[1]}/simple")
    assert (found.state, found.exit_code) == ("error", 5)
    assert "does not answer: Connection refused" in found.message


@pytest.mark.parametrize("url", [f"me:{SECRET}@host/simple", f"https://me:x/{SECRET}@host/simple"])
def test_an_invalid_url_hides_its_credentials(check, url):
    [_default, found] = check(PIP_EXTRA_INDEX_URL=url, PIP_INDEX_URL="/absent")
    assert (found.state, found.exit_code) == ("error", 5)
    assert "***@host/simple" in found.message
    assert SECRET not in repr(found)


def test_several_indexes_are_queried_in_parallel(check, monkeypatch):
    monkeypatch.setattr(module, "LIMIT_S", 1.0)
    with server(404) as (quick, _), server(404, seconds=30) as (slow, _):
        urls = [f"http://{slow}/{number}" for number in range(4)]
        started = time.monotonic()
        found = check(PIP_INDEX_URL=f"http://{quick}/simple", PIP_EXTRA_INDEX_URL=" ".join(urls))
        assert time.monotonic() - started < 4
    assert [check.state for check in found] == ["ok", *["error"] * 4]
    assert found[1].message == f"{urls[0]} does not answer (limit 1 s)"


def test_the_name_of_a_uv_index_is_not_part_of_its_url(check):
    with server(404) as (address, requests):
        variables = {"UV_INDEX_OURS_USERNAME": "me", "UV_INDEX_OURS_PASSWORD": SECRET}
        [found] = check(UV_DEFAULT_INDEX=f"ours=http://{address}/simple", **variables)
    assert found.message == f"http://{address}/simple answers"
    assert any(authorization for _, authorization in requests)


def test_folders_are_checked_as_indexes_and_links(check, tmp_path):
    (tmp_path / "simple").mkdir()
    found = check(
        PIP_INDEX_URL=f"file://{tmp_path}/simple",
        PIP_EXTRA_INDEX_URL=f"file://{tmp_path}/absent",
        PIP_FIND_LINKS=f"{tmp_path} {tmp_path}/missing",
    )
    assert [(check.name, check.state) for check in found] == [
        ("pip settings", "warning"),
        ("index", "ok"),
        ("index", "error"),
        ("links", "ok"),
    ]
    assert found[0].message == f"find-links: {tmp_path}/missing does not exist"


def test_a_page_of_links_is_checked(check):
    with server(200, headers=[("Content-Type", "text/html")]) as (address, requests):
        [found] = check(PIP_NO_INDEX="1", PIP_FIND_LINKS=f"http://{address}/links.html")
    assert found.message == f"http://{address}/links.html answers"
    assert [path for path, _ in requests] == ["/links.html"]


def test_no_index_is_reported(check):
    assert [found.message for found in check(PIP_NO_INDEX="1")] == ["no index is used"]


def test_settings_without_effect_are_reported(check, tmp_path):
    (tmp_path / "pip.conf").write_text("[global]\nno-index = 1\nuse-feature = x\n")
    files, unsupported, *_others = check(PIP_CONFIG_FILE=str(tmp_path / "pip.conf"))
    assert files.message.endswith(str(tmp_path / "pip.conf"))
    assert (unsupported.state, unsupported.message) == (
        "warning",
        "settings without effect: use-feature",
    )
