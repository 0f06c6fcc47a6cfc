"""Checks the head of a request and finds the framing of its body (RFC 9112)."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

from nachlass_service.http.request import Request

DIGITS = 19
"""The most decimal digits of a 64-bit length."""


@dataclass(frozen=True)
class RequestLimits:
    """The limits of one request: bytes, and the number of headers."""

    body_bytes: int
    line_bytes: int = 4094
    field_bytes: int = 8190
    fields: int = 100


class Rejection(NamedTuple):
    """The status and detail with which a connection is closed that cannot be read further."""

    status: int
    detail: str


class HeadError(Exception):
    """A head is rejected with its `rejection`."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.rejection = Rejection(status, detail)


class Framing(NamedTuple):
    """The framing of a body: its length in bytes, 0 also if unknown."""

    length: int
    expects_continue: bool


def framing_of(request: Request, limits: RequestLimits) -> Framing:
    """Return the framing of a request's body; raises HeadError."""
    length, expects_continue = 0, False
    hosts = types = 0
    if len(request.headers) > limits.fields:
        raise too_long(f"too many headers (limit {limits.fields})")
    for name, value in request.headers:
        if len(name) + len(value) > limits.field_bytes:
            raise too_long(f"a header is too long (limit {limits.field_bytes} bytes)")
        if name == b"host":
            hosts += 1
        elif name == b"content-type":
            types += 1
        elif name == b"content-length":
            length = int(value[-DIGITS:])  # httptools rejects other values
        elif name == b"expect":
            expects_continue = value.lower() == b"100-continue" and not request.is_old
        elif name == b"transfer-encoding":
            _check_coding(request, value.lower())
    if hosts != 1 and (hosts or not request.is_old):
        raise HeadError(HTTPStatus.BAD_REQUEST, "a request needs exactly one Host header")
    if types > 1:
        raise HeadError(HTTPStatus.BAD_REQUEST, "a request has at most one Content-Type header")
    return Framing(length, expects_continue)


def _check_coding(request: Request, coding: bytes) -> None:
    if request.is_old:
        raise HeadError(HTTPStatus.BAD_REQUEST, "HTTP/1.0 has no transfer codings")
    if coding != b"chunked":
        detail = f"the transfer coding {coding[:40].decode('latin-1')} is not supported"
        raise HeadError(HTTPStatus.NOT_IMPLEMENTED, detail)


def too_long(detail: str) -> HeadError:
    """Return the HeadError for a head that is too long."""
    return HeadError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail)


def without_offer(request: Request) -> bytes:
    """Return the head of a request without its Upgrade header.

    A server may ignore that header and continue with HTTP (RFC 9110, section 7.8).
    """
    lines = [b"%b %b HTTP/1.%d" % (request.method, request.target, not request.is_old)]
    lines += [b"%b: %b" % field for field in request.headers if field[0] != b"upgrade"]
    return b"\r\n".join([*lines, b"", b""])
