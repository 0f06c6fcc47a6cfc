"""Says how a request is read whose head is there, or why it is refused (RFC 9112)."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

from nachlass_service.http.request import Request

DIGITS = 19
"""Of a length, as many as 64 bits have at most."""


@dataclass(frozen=True)
class RequestLimits:
    """What is read at most of one request: bytes, and the number of its headers."""

    body_bytes: int
    line_bytes: int = 4094
    field_bytes: int = 8190
    fields: int = 100


class Refusal(NamedTuple):
    """Why nothing more can be read: what the client is told before its connection is closed."""

    status: int
    detail: str


class HeadError(Exception):
    """A head that is refused, as its `refusal` says."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.refusal = Refusal(status, detail)


class Framing(NamedTuple):
    """What a head says of the body: its length in bytes, 0 also where that is not known."""

    length: int
    expects_continue: bool


def framing_of(request: Request, limits: RequestLimits) -> Framing:
    """How the body of a request comes; raises HeadError."""
    length, expects_continue = 0, False
    hosts = types = 0
    if len(request.headers) > limits.fields:
        raise too_long(f"there are more than {limits.fields} headers")
    for name, value in request.headers:
        if len(name) + len(value) > limits.field_bytes:
            raise too_long(f"a header is longer than {limits.field_bytes} bytes")
        if name == b"host":
            hosts += 1
        elif name == b"content-type":
            types += 1
        elif name == b"content-length":
            length = int(value[-DIGITS:])  # httptools has refused what is no number
        elif name == b"expect":
            expects_continue = value.lower() == b"100-continue" and not request.is_old
        elif name == b"transfer-encoding":
            _check_coding(request, value.lower())
    if hosts != 1 and (hosts or not request.is_old):
        raise HeadError(HTTPStatus.BAD_REQUEST, "a request has one Host header")
    if types > 1:
        raise HeadError(HTTPStatus.BAD_REQUEST, "a request has one Content-Type header")
    return Framing(length, expects_continue)


def _check_coding(request: Request, coding: bytes) -> None:
    if request.is_old:
        raise HeadError(HTTPStatus.BAD_REQUEST, "HTTP/1.0 has no transfer codings")
    if coding != b"chunked":
        detail = f"the transfer coding {coding[:40].decode('latin-1')} is not known here"
        raise HeadError(HTTPStatus.NOT_IMPLEMENTED, detail)


def too_long(detail: str) -> HeadError:
    """The refusal of a head that is too long."""
    return HeadError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail)


def without_offer(request: Request) -> bytes:
    """The head of a request that offers another protocol, without the offer.

    A server may decline it and go on with HTTP (RFC 9110, section 7.8).
    """
    lines = [b"%b %b HTTP/1.%d" % (request.method, request.target, not request.is_old)]
    lines += [b"%b: %b" % field for field in request.headers if field[0] != b"upgrade"]
    return b"\r\n".join([*lines, b"", b""])
