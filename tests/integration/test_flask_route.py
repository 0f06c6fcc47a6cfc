"""Flask in gunicorn's threads sends the same responses as our own HTTP front."""

import re

import pytest

from support.command import user_environment
from support.served import served

JSON, LINES, CSV = "application/json", "application/x-ndjson", "text/csv"
FORM = "application/x-www-form-urlencoded"
MAX_BYTES = 100_000
REQUESTS = {
    "a sample": ("POST", "/predict", JSON, b'{"a": [1, null, "\xc3\xa4"]}'),
    "another spelling of the path": ("POST", "/predict/?x=1", JSON, b"[1]"),
    "a form": ("POST", "/predict", FORM, b"json_args=[1]"),
    "a pickle": ("POST", "/predict", FORM, b"args=gASVAgAAAAAAAABOLg"),
    "no JSON": ("POST", "/predict", JSON, b"{"),
    "not finite": ("POST", "/predict", JSON, b"[NaN]"),
    "an empty body": ("POST", "/predict", JSON, b""),
    "another type": ("POST", "/predict", "text/plain", b"[1]"),
    "rejected by the validator": ("POST", "/predict", JSON, b'"refused"'),
    "failing": ("POST", "/predict", JSON, b'"raise"'),
    "too large": ("POST", "/predict", JSON, b" " * (MAX_BYTES + 1)),
    "lines": ("POST", "/predict", LINES, b'1\n[2]\n{\n"raise"\n'),
    "a table": ("POST", "/predict", CSV, b"a,b\n1,x\n2,y\n"),
    "a broken table": ("POST", "/predict", CSV, b"a,b\n1\n"),
    "a table that is too wide": ("POST", "/predict", CSV, b"a\n" + b"x" * (MAX_BYTES + 1)),
    "health": ("GET", "/livez", None, None),
    "readiness": ("GET", "/readyz", None, None),
    "the model": ("GET", "/model", None, None),
    "nothing": ("GET", "/nothing", None, None),
    "another method": ("GET", "/predict", None, None),
    "the head of a page": ("HEAD", "/", None, None),
}
COMPARED = ("Content-Type", "Allow", "Retry-After", "Model-Digest")


@pytest.fixture(scope="module")
def services(unruly, cache):
    """Yield a service with our front and one with Flask in threads."""
    environ = user_environment(cache)
    variables = {"S2I_MAX_BODY_BYTES": str(MAX_BYTES), "WEB_CONCURRENCY": "1"}
    with (
        served(unruly, environ, **variables) as front,
        served(unruly, environ, GUNICORN_CMD_ARGS="-k gthread", **variables) as flask,
    ):
        yield front, flask


def response_of(service, method, path, media_type, body):
    headers = {"Content-Type": media_type} if media_type else {}
    status, response_headers, text = service.request(method, path, body, headers)
    assert response_headers["X-Request-Id"]
    masked = re.sub(rb'"+request_id"+: ?"+[^"]*"+', b"", text)
    # The order of the allowed methods is not defined.
    compared = [sorted((response_headers[name] or "").split(", ")) for name in COMPARED]
    return status, compared, masked


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())
def test_both_servers_send_the_same_responses(services, request_):
    front, flask = (response_of(service, *request_) for service in services)
    assert flask == front


def test_both_servers_count_the_same_requests(services):
    front, flask = (
        {
            name: value
            for name, value in service.metrics().items()
            if ("_total" in name or name.endswith("_count")) and "health" not in name
        }
        for service in services
    )
    assert flask == front
    assert flask
