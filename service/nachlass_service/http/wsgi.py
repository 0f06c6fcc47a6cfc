"""Calls a WSGI application with a parsed request."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from nachlass_service.http.interfaces import Endpoints
from nachlass_service.http.request import Request

WSGI = Callable[[Any, Any], Iterable[bytes]]
Headers = list[tuple[str, str]]


def path_of(target: bytes) -> bytes:
    """Return the decoded path of a request's target."""
    path = target.partition(b"?")[0]
    if not path.startswith(b"/"):  # a proxy's `GET http://host/path`
        path = b"/" + path.partition(b"://")[2].partition(b"/")[2]
    return unquote_to_bytes(path)


def environ_of(request: Request, *, scheme: str, endpoints: Endpoints) -> dict[str, Any]:
    """Return the WSGI environment of a request (PEP 3333)."""
    peer, server, _is_encrypted = endpoints
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method.decode("latin-1"),
        "SCRIPT_NAME": "",
        "PATH_INFO": path_of(request.target).decode("latin-1"),
        "QUERY_STRING": request.target.partition(b"?")[2].decode("latin-1"),
        "RAW_URI": request.target.decode("latin-1"),
        "SERVER_PROTOCOL": "HTTP/1.0" if request.is_old else "HTTP/1.1",
        "REMOTE_ADDR": str(peer[0]) if peer and isinstance(peer, tuple) else "",
        "SERVER_NAME": str(server[0]) if isinstance(server, tuple) else str(server),
        "SERVER_PORT": str(server[1]) if isinstance(server, tuple) else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in request.headers:
        if b"_" in name:  # could spoof the header with a hyphen
            continue
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    if not request.is_streamed:
        environ["CONTENT_LENGTH"] = str(len(request.body))  # also for a chunked body
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return environ


def answer_of(application: WSGI, environ: dict[str, Any]) -> tuple[int, Headers, bytes]:
    """Return the status, headers and body of the application's response."""
    status, headers, pieces = begin(application, environ)
    try:
        return status, headers, b"".join(pieces)
    finally:
        end(pieces)


def begin(application: WSGI, environ: dict[str, Any]) -> tuple[int, Headers, Iterable[bytes]]:
    """Return the status, headers and body of the response; the caller has to `end` the body.

    Flask never uses the `write` callable, so `start_response` returns none.
    """
    started: list[tuple[str, Headers]] = []

    def start_response(status: str, headers: Headers, _error: Any = None) -> None:
        started[:] = [(status, headers)]

    pieces = application(environ, start_response)
    [(status, headers)] = started
    return int(status[:3]), headers, pieces


def end(pieces: Iterable[bytes]) -> None:
    """Let the application clean up after a body, even if it was not read to the end."""
    if close := getattr(pieces, "close", None):
        close()
