"""Writes the heads of responses, and the bodies of responses without the application."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from typing import NamedTuple

from nachlass_service.base.errors import OverloadedError, ServiceError
from nachlass_service.base.problem import MEDIA_TYPE, problem, problem_of, problem_of_defect
from nachlass_service.bundle.strict_json import encode
from nachlass_service.http.wsgi import Headers

REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
KEPT = {False: b"Connection: keep-alive\r\n", True: b"Connection: close\r\n"}
JSON_LINES = b"Content-Type: application/json\r\nX-Request-Id: %b\r\n"
LIVE = encode({"live": True}) + b"\n"
READY = encode({"ready": True}) + b"\n"


class Response(NamedTuple):
    """A status, the lines of the headers except for protocol headers, and the body."""

    status: int
    lines: bytes
    body: bytes
    length: int
    """The length of the body in bytes; for HEAD, that of the body for GET."""


class Heads:
    """Heads of responses, with the date of the last `tick`."""

    def __init__(self) -> None:
        self.tick()

    def tick(self) -> None:
        """Update the date; must be called at least once a second."""
        self._date = formatdate(usegmt=True).encode()

    def head(self, status: int, lines: bytes, *, close: bool) -> bytes:
        """Return a head with these lines and the protocol headers."""
        return b"HTTP/1.1 %d %b\r\nDate: %b\r\n%b%b\r\n" % (
            *(status, REASONS.get(status, b"")),
            *(self._date, lines, KEPT[close]),
        )

    def whole(
        self, response: Response, *, close: bool, only_head: bool = False, more: bytes = b""
    ) -> bytes:
        """Return the bytes of a response, with `more` header lines."""
        lines = b"%b%bContent-Length: %d\r\n" % (response.lines, more, response.length)
        head = self.head(response.status, lines, close=close)
        return head if only_head else head + response.body


def json_response(body: bytes, request_id: str) -> Response:
    """Return a response with JSON that ends with a newline."""
    return Response(200, JSON_LINES % request_id.encode(), body, len(body))


def problem_response(error: ServiceError, request_id: str) -> Response:
    """Return the response for an error, with Retry-After if it is an overload."""
    text = encode(problem_of(error, request_id)) + b"\n"
    retry_after_s = error.retry_after_s if isinstance(error, OverloadedError) else None
    return _response(error.status, MEDIA_TYPE, text, request_id, retry_after_s)


def defect_response(request_id: str) -> Response:
    """Return the response for an unexpected exception."""
    return _response(500, MEDIA_TYPE, encode(problem_of_defect(request_id)) + b"\n", request_id)


def rejection_response(status: int, detail: str, request_id: str) -> Response:
    """Return the response for a malformed request."""
    text = encode(problem(status, HTTPStatus(status).phrase, detail, request_id)) + b"\n"
    retry_after_s = 1 if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return _response(status, MEDIA_TYPE, text, request_id, retry_after_s)


def page_response(status: int, headers: Headers, body: bytes) -> Response:
    """Return the response of the Flask application."""
    lines, length = lines_of(headers)
    return Response(status, lines, body, len(body) if length is None else length)


def lines_of(headers: Headers) -> tuple[bytes, int | None]:
    """Return the header lines without Content-Length, and its value."""
    length = next((int(v) for name, v in headers if name.lower() == "content-length"), None)
    lines = [f"{name}: {value}\r\n" for name, value in headers if name.lower() != "content-length"]
    return "".join(lines).encode("latin-1"), length


def _response(
    status: int, media_type: str, body: bytes, request_id: str, retry_after_s: int | None = None
) -> Response:
    retry = "" if retry_after_s is None else f"Retry-After: {retry_after_s}\r\n"
    lines = f"Content-Type: {media_type}\r\n{retry}X-Request-Id: {request_id}\r\n"
    return Response(status, lines.encode("latin-1"), body, len(body))
