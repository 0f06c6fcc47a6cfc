"""Serialized responses, and the route of each request."""

import pytest

from nachlass_service.base.errors import OverloadedError, RefusedError
from nachlass_service.http import responses
from nachlass_service.http.request import Request
from nachlass_service.http.responses import (
    Heads,
    defect_response,
    json_response,
    lines_of,
    page_response,
    problem_response,
    rejection_response,
)
from nachlass_service.http.router import Route, is_streamed, route_of

DATE = "Sun, 29 Nov 2026 12:00:00 GMT"


@pytest.fixture
def heads(monkeypatch):
    monkeypatch.setattr(responses, "formatdate", lambda usegmt: DATE)
    return Heads()


def test_a_response_is_serialized(heads):
    response = json_response(b"42\n", "abc")
    expected = (
        b"HTTP/1.1 200 OK\r\n"
        b"Date: Sun, 29 Nov 2026 12:00:00 GMT\r\n"
        b"Content-Type: application/json\r\n"
        b"X-Request-Id: abc\r\n"
        b"Content-Length: 3\r\n"
        b"Connection: %b\r\n\r\n"
    )
    assert heads.whole(response, close=False) == expected % b"keep-alive" + b"42\n"
    assert heads.whole(response, close=True) == expected % b"close" + b"42\n"
    assert heads.whole(response, close=True, only_head=True) == expected % b"close"
    more = heads.whole(response, close=False, more=b"A: b\r\n")
    assert more.replace(b"A: b\r\n", b"") == heads.whole(response, close=False)
    assert b"\r\nA: b\r\n" in more.partition(b"\r\n\r\n")[0]


def test_the_date_is_that_of_the_last_tick(heads, monkeypatch):
    monkeypatch.setattr(responses, "formatdate", lambda usegmt: "later")
    assert DATE.encode() in heads.head(200, b"", close=False)
    heads.tick()
    assert b"Date: later\r\n" in heads.head(200, b"", close=False)


def test_problems_have_a_status_and_headers(heads):
    rejected = problem_response(RefusedError("too old"), "abc")
    assert rejected.status == 422
    assert rejected.lines.startswith(b"Content-Type: application/problem+json\r\n")
    assert b"too old" in rejected.body
    assert b"Retry-After" not in rejected.lines
    overloaded = problem_response(OverloadedError("many", 7), "abc")
    assert (overloaded.status, b"Retry-After: 7\r\n" in overloaded.lines) == (503, True)
    defect = defect_response("abc")
    assert (defect.status, b"abc" in defect.body) == (500, True)
    for status, retry in ((400, False), (503, True)):
        rejection = rejection_response(status, "why", "abc")
        assert rejection.status == status
        assert b"why" in rejection.body
        assert (b"Retry-After: 1\r\n" in rejection.lines) is retry
    assert len(rejection.body) == rejection.length


def test_a_status_without_a_name_has_none(heads):
    assert heads.head(299, b"", close=True).startswith(b"HTTP/1.1 299 \r\n")


def test_responses_of_the_application_are_converted():
    headers = [("Content-Type", "text/plain"), ("Content-Length", "9"), ("A", "ä")]
    assert lines_of(headers) == ("Content-Type: text/plain\r\nA: ä\r\n".encode("latin-1"), 9)
    assert page_response(200, headers, b"").length == 9  # the body that HEAD omits
    assert page_response(200, headers[:1], b"four").length == 4


def request(method=b"POST", target=b"/predict", content_type=b"application/json"):
    made = Request()
    made.method, made.target = method, target
    made.headers = [(b"content-type", content_type)]
    return made


@pytest.mark.parametrize(
    ("made_request", "route"),
    [
        (request(), Route.PREDICT),
        (request(target=b"/predict/"), Route.PREDICT),
        (request(target=b"/predict?x=1"), Route.PREDICT),
        (request(target=b"/%70redict"), Route.PREDICT),
        (request(target=b"http://host/predict"), Route.PREDICT),
        (request(content_type=b"text/csv"), Route.BATCH),
        (request(target=b"/predict/", content_type=b"Text/CSV; charset=utf-8"), Route.BATCH),
        (request(b"GET", b"/predict", b"text/csv"), Route.PAGE),
        (request(target=b"/other", content_type=b"text/csv"), Route.PAGE),
        (request(content_type=b"text/plain"), Route.PREDICT),
        (request(b"GET", b"/livez"), Route.LIVE),
        (request(b"GET", b"/livez/"), Route.PAGE),
        (request(b"POST", b"/livez"), Route.PAGE),
        (request(b"GET", b"/readyz"), Route.READY),
        (request(b"GET", b"/"), Route.PAGE),
        (request(b"GET", b"/predict"), Route.PAGE),
    ],
)
def test_requests_are_routed(made_request, route):
    made_request.is_streamed = is_streamed(made_request)
    assert route_of(made_request) is route
