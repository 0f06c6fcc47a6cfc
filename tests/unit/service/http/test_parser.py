"""Requests are parsed however they are split, and limited while they are read."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nachlass_service.base.errors import OverloadedError, SlowBodyError, TooLargeError
from nachlass_service.http.body_budget import BodyBudget
from nachlass_service.http.head import RequestLimits
from nachlass_service.http.parser import RequestParser

LIMITS = RequestLimits(body_bytes=100, line_bytes=50, field_bytes=40, fields=5)
BUDGET = 300


def never(request):
    return False


def text(method=b"POST", target=b"/predict", *lines, body=b"", version=b"1.1", host=b"Host: x"):
    lines = [*([host] if host else []), *lines]
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([b"%b %b HTTP/%b" % (method, target, version), *lines, b"", body])


def chunked(*pieces):
    parts = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
    return text(b"POST", b"/predict", b"Transfer-Encoding: chunked") + b"".join(
        [*parts, b"0\r\n\r\n"]
    )


def parser(limits=LIMITS, budget=None, is_streamed=never):
    return RequestParser(limits, budget or BodyBudget(BUDGET), is_streamed)


def read(*pieces, **options):
    made = parser(**options)
    for piece in pieces:
        made.feed(piece)
    return made


def seen(made):
    """Return the parsed facts, which must not depend on the split."""
    requests = [
        (
            request.method,
            request.target,
            request.headers,
            request.body,
            request.keep_alive,
            type(request.error),
        )
        for request in made.requests
    ]
    return requests, made.rejection, made.is_last


STREAMS = {
    "one": text(body=b"[1]"),
    "several": text(body=b"[1]") + text(b"GET", b"/livez") + chunked(b"[1,", b"2]"),
    "last": text(b"GET", b"/livez", b"Connection: close") + text(),
    "HTTP/1.0": text(b"GET", b"/livez", version=b"1.0", host=None),
    "too large": text(body=b"x" * 101) + text(b"GET", b"/livez"),
    "too large in chunks": chunked(b"x" * 60, b"y" * 60) + text(b"GET", b"/livez"),
    "an upgrade": text(
        b"POST", b"/predict", b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", body=b"[1]"
    )
    + text(b"GET", b"/livez"),
    "upgrades": 3 * text(b"GET", b"/livez", b"Upgrade: websocket", b"Connection: upgrade"),
    "an upgrade with HTTP/1.0": text(
        b"POST", b"/", b"Upgrade: websocket", b"Connection: upgrade", body=b"[1]", version=b"1.0"
    ),
    "with trailers": text(b"POST", b"/", b"Transfer-Encoding: chunked")
    + b"1\r\nx\r\n0\r\nHost: y\r\n\r\n"
    + text(b"GET", b"/livez"),
}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
def test_a_stream_is_parsed_alike_however_it_is_split(stream):
    whole = seen(read(stream))
    assert whole[0]
    for place in range(1, len(stream)):
        assert seen(read(stream[:place], stream[place:])) == whole
    assert seen(read(*(stream[n : n + 1] for n in range(len(stream))))) == whole


@given(
    streams=st.lists(st.sampled_from(list(STREAMS.values())), max_size=4),
    sizes=st.lists(st.integers(1, 40), min_size=1),
)
def test_consecutive_streams_are_read_in_pieces_of_any_size(streams, sizes):
    stream = b"".join(streams)
    pieces, place = [], 0
    while place < len(stream):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(stream[place : place + size])
        place += size
    assert seen(read(*pieces)) == seen(read(stream))


@given(data=st.binary(max_size=300))
def test_any_bytes_are_parsed_or_rejected(data):
    made = read(data, text(b"GET", b"/livez"))
    assert made.rejection is None or 400 <= made.rejection.status < 600
    assert made.requests or made.rejection or made.request or made.is_last or not data


def test_the_fields_of_a_request_are_read():
    [request] = read(text(b"POST", b"/predict?x=1", b"X-A: b", body=b"[1]")).requests
    assert (request.method, request.target, request.body) == (b"POST", b"/predict?x=1", b"[1]")
    assert request.headers == [(b"host", b"x"), (b"x-a", b"b"), (b"content-length", b"3")]
    assert (request.header(b"x-a"), request.header(b"x-b")) == ("b", "")
    assert request.keep_alive
    assert not request.is_old
    assert request.arrived_at > 0


@pytest.mark.parametrize(
    ("stream", "status", "detail"),
    [
        (text(target=b"/" + b"x" * 50), 414, "the request target is too long (limit 50 bytes)"),
        (text(b"GET", b"/", b"A: " + b"x" * 40), 431, "a header is too long (limit 40 bytes)"),
        (text(b"GET", b"/", *[b"A: b"] * 5), 431, "too many headers (limit 5)"),
        (text(host=None), 400, "a request needs exactly one Host header"),
        (text(b"GET", b"/", b"Host: y"), 400, "a request needs exactly one Host header"),
        (
            text(b"GET", b"/", b"Host: y", version=b"1.0"),
            400,
            "a request needs exactly one Host header",
        ),
        (
            text(b"POST", b"/", b"Content-Type: text/csv", b"Content-Type: text/csv"),
            400,
            "a request has at most one Content-Type header",
        ),
        (
            text(b"POST", b"/", b"Transfer-Encoding: chunked", version=b"1.0"),
            400,
            "HTTP/1.0 has no transfer codings",
        ),
        (text(version=b"2.0"), 505, "use HTTP/1.1"),
        (text(version=b"0.9"), 505, "use HTTP/1.1"),
        (text(b"CONNECT", b"x:1"), 405, "this is not a proxy"),
        (
            text(b"POST", b"/", b"Transfer-Encoding: gzip, chunked"),
            501,
            "the transfer coding gzip, chunked is not supported",
        ),
    ],
)
def test_invalid_requests_are_rejected(stream, status, detail):
    made = read(stream)
    assert made.rejection == (status, detail)
    assert not made.requests


def test_a_request_at_the_limits_is_read():
    fields = (b"Content-Type: text/csv", b"A: " + b"x" * 39, b"A: b", b"A: b")
    [request] = read(text(b"GET", b"/" + b"x" * 49, *fields)).requests
    assert len(request.headers) == LIMITS.fields
    made = read(text(b"GET", b"/livez"), limits=replace(LIMITS, body_bytes=0))
    assert made.requests[0].error is None


@pytest.mark.parametrize(
    "stream",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
        text(b"POST", b"/", b"Content-Length: 1", b"Transfer-Encoding: chunked"),
        text(b"POST", b"/", b"Content-Length: 1", b"Content-Length: 2"),
        text(b"POST", b"/", b"Transfer-Encoding: chunked") + b"x\r\n",
    ],
)
def test_malformed_http_is_rejected(stream):
    made = read(stream)
    assert made.rejection.status == 400
    assert made.rejection.detail.startswith("this is not HTTP: ")


def test_a_length_can_have_any_number_of_digits():
    limits = RequestLimits(body_bytes=100)
    made = read(
        text(b"POST", b"/", b"Content-Length: " + b"0" * 5000 + b"3") + b"[1]", limits=limits
    )
    [request] = made.requests
    assert request.body == b"[1]"


def test_nothing_is_read_after_a_rejection():
    made = read(text(b"GET", b"/livez"), b"nonsense\r\n\r\n", text(b"GET", b"/livez"))
    assert len(made.requests) == 1
    assert made.rejection.status == 400


def test_an_endless_head_is_rejected():
    limits = RequestLimits(body_bytes=1, line_bytes=1 << 20, field_bytes=1 << 20, fields=1 << 20)
    made = read(text(b"GET", b"/", b"A: ")[:-4], limits=limits)
    for _ in range(1 << 8):
        made.feed(b"x" * (1 << 10))
    assert made.rejection.status == 431


def test_endless_trailers_are_rejected():
    made = read(text(b"POST", b"/", b"Transfer-Encoding: chunked") + b"0\r\n")
    for _ in range(1 << 13):
        made.feed(b"A: " + b"x" * 30 + b"\r\n")
    assert made.rejection.status == 431


# Bodies.


def test_a_body_over_the_limit_is_read_and_discarded():
    made = read(text(body=b"x" * 101))
    [request] = made.requests
    assert isinstance(request.error, TooLargeError)
    assert str(request.error) == "the body is too large (limit 100 bytes)"
    assert request.body == b""
    assert request.keep_alive


def test_a_client_that_expects_100_continue_for_a_large_body_is_rejected_at_once():
    made = read(
        text(b"POST", b"/predict", b"Expect: 100-continue", b"Content-Length: 101"), b"x" * 101
    )
    [request] = made.requests
    assert isinstance(request.error, TooLargeError)
    assert not request.keep_alive
    assert not made.expects_continue


@pytest.mark.parametrize(("version", "expects"), [(b"1.1", True), (b"1.0", False)])
def test_a_client_of_http_1_1_can_wait_for_100_continue(version, expects):
    lines = (b"Expect: 100-continue", b"Content-Length: 3")
    made = read(text(b"POST", b"/predict", *lines, version=version))
    assert made.expects_continue is expects
    made.feed(b"[1]")
    [request] = made.requests
    assert request.body == b"[1]"


def test_an_upgrade_and_an_expectation_are_read_once():
    lines = (b"Upgrade: h2c", b"Connection: Upgrade", b"Expect: 100-continue", b"Content-Length: 3")
    made = read(text(b"POST", b"/predict", *lines))
    assert made.expects_continue
    assert not made.requests
    made.feed(b"[1]")
    [request] = made.requests
    assert request.body == b"[1]"
    assert request.header(b"upgrade") == ""
    assert request.keep_alive


@pytest.mark.parametrize("blank", [b"", b" "])
@pytest.mark.parametrize(
    ("option", "version", "stays"),
    [
        (b"Close", b"1.1", False),
        (b"x", b"1.1", True),
        (b"Keep-Alive", b"1.0", True),
        (b"x", b"1.0", False),
    ],
)
def test_a_declined_upgrade_does_not_change_keep_alive(option, version, stays, blank):
    for options in ((option, b"Upgrade"), (b"Upgrade", option)):
        connection = b"Connection: " + (b"," + blank).join(options)
        stream = text(b"GET", b"/livez", b"Upgrade: h2c", connection, version=version)
        [request] = read(stream).requests
        assert request.keep_alive is stays
        assert request.header(b"upgrade") == ""


def test_bodies_of_all_connections_share_a_budget():
    budget = BodyBudget(150)
    first, second = parser(budget=budget), parser(budget=budget)
    for made in (first, second):
        made.feed(text(b"POST", b"/predict", b"Content-Length: 100"))
        made.feed(b"x" * 50)
        assert budget.remaining == (150 if made is first else 50)
        made.feed(b"x" * 50)
    [served], [rejected] = first.requests, second.requests
    assert served.body == b"x" * 100
    assert isinstance(rejected.error, OverloadedError)
    assert rejected.body == b""
    assert budget.remaining == 50
    budget.release(served)
    budget.release(served)
    assert budget.remaining == 150


@pytest.mark.parametrize("ends", ["close", "end", "refusal"])
def test_an_incomplete_body_is_released(ends):
    budget = BodyBudget(BUDGET)
    made = parser(budget=budget)
    made.feed(text(b"POST", b"/predict", b"Transfer-Encoding: chunked"))
    made.feed(b"1e\r\n" + b"x" * 20)
    made.feed(b"x" * 5)
    assert budget.remaining == BUDGET - 25
    if ends == "close":
        made.close()
    elif ends == "end":
        made.end()
        [request] = made.requests
        assert isinstance(request.error, SlowBodyError)
        assert not request.keep_alive
    else:
        made.feed(b"x" * 5 + b"no chunk\r\n")
        assert made.rejection.status == 400
    assert budget.remaining == BUDGET


def test_an_unanswered_body_is_released():
    budget = BodyBudget(BUDGET)
    made = parser(budget=budget)
    made.feed(text(body=b"x" * 60)[:-20])
    made.feed(b"x" * 20)
    assert len(made.requests) == 1
    assert budget.remaining == BUDGET - 60
    made.close()
    assert budget.remaining == BUDGET
    assert not made.requests


# Batches.


def test_a_streamed_request_is_available_with_its_head():
    budget = BodyBudget(0)
    made = parser(budget=budget, is_streamed=lambda request: request.method == b"PUT")
    made.feed(text(b"PUT", b"/", b"Content-Length: 250"))
    [request] = made.requests
    assert (request.is_streamed, request.is_whole, list(request.pieces)) == (True, False, [])
    made.feed(b"x" * 200)
    made.feed(b"x" * 50 + text(b"GET", b"/livez"))
    assert request.is_whole
    assert b"".join(request.pieces) == b"x" * 250
    assert request.error is None
    assert len(made.requests) == 2


def test_a_streamed_request_can_end_too_early():
    made = read(text(b"PUT", b"/", b"Content-Length: 9"), is_streamed=lambda request: True)
    made.end()
    [request] = made.requests
    assert request.is_whole
    assert isinstance(request.error, SlowBodyError)


def test_a_defect_in_a_callback_is_not_attributed_to_the_client():
    def broken(request):
        raise ZeroDivisionError

    with pytest.raises(Exception) as raised:  # noqa: PT011 - httptools' own
        read(text(), is_streamed=broken)
    assert isinstance(raised.value.__context__, ZeroDivisionError)
