"""Responses to good and bad requests, and to predictors that misbehave."""

import base64
import json
import pickle
import shlex
import socket
import subprocess
import time

import pytest

from support.command import user_environment
from support.served import served

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def service(unruly, cache):
    environ = user_environment(cache)
    variables = {"S2I_MAX_BODY_BYTES": "1000000"}
    with served(unruly, environ, WEB_CONCURRENCY="2", **variables) as service:
        yield service


@pytest.fixture(autouse=True)
def no_worker_is_lost(service):
    """Check that no test loses a worker."""
    before = service.workers
    yield
    assert service.workers == before
    assert service.request("GET", "/livez")[0] == 200


def problem(response, status):
    """Check that a response is a problem document, and return it."""
    assert response[0] == status, response
    assert response[1]["Content-Type"] == "application/problem+json"
    document = json.loads(response[2])
    assert document["status"] == status
    assert document["request_id"] == response[1]["X-Request-Id"]
    assert document["title"]
    assert document["detail"]
    assert document["type"]
    return document


def raw(service, data, seconds=15):
    """Send bytes, and read until the service closes the connection."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=seconds) as connection:
        connection.sendall(data)
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received


@pytest.mark.parametrize("sample", [None, True, 7, -1.5, "text", "ä€😀", [], [[1, "a"]], {"a": {}}])
def test_any_json_value_is_one_sample(service, sample):
    assert service.predict(sample) == (200, {"seen": sample})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is empty"),
        (b"  ", "the body is empty"),
        (b"not json", "Expecting value"),
        (b"{'a': 1}", "double quotes"),
        (b"[1, 2", "Expecting"),
        (b"[1] [2]", "Extra data"),
        (b"NaN", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"1e999", "is too large"),
        (b'"\xff\xfe"', "not UTF-8"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b"1" * 5000, "too many digits"),
    ],
)
def test_invalid_json_is_rejected(service, body, reason):
    response = service.request("POST", "/predict", body, JSON)
    assert reason in problem(response, 400)["detail"]


def test_a_body_above_the_limit_is_rejected(service):
    response = service.request("POST", "/predict", b'"' + b"x" * 50_000_000 + b'"', JSON)
    assert "1000000 bytes" in problem(response, 413)["detail"]
    large = "x" * 900_000
    assert service.predict(large) == (200, {"seen": large})


def test_a_chunked_body_is_read_and_its_size_is_limited(service):
    pieces = [b'["ch', b"unk", b'ed"]']
    status, _headers, body = service.request("POST", "/predict", iter(pieces), JSON)
    assert (status, json.loads(body)) == (200, {"seen": ["chunked"]})
    too_many = (b"x" * 100_000 for _ in range(20))
    assert service.request("POST", "/predict", too_many, JSON)[0] == 413


@pytest.mark.parametrize(
    ("media_type", "hint"),
    [
        ("text/plain", "content-type: application/json"),
        ("application/x-www-form-urlencoded", "no field `json_args`"),
        ("multipart/form-data; boundary=x", "multipart/form-data is not supported"),
        ("application/octet-stream", "is not supported"),
    ],
)
def test_an_unsupported_media_type_is_rejected(service, media_type, hint):
    response = service.request("POST", "/predict", b"[1]", {"Content-Type": media_type})
    assert hint in problem(response, 415)["detail"]


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "application/x+json"])
def test_json_media_types_are_accepted(service, media_type):
    assert service.request("POST", "/predict", b"[1]", {"Content-Type": media_type})[0] == 200


def test_a_content_encoding_is_rejected(service):
    response = service.request("POST", "/predict", b"[1]", {**JSON, "Content-Encoding": "gzip"})
    assert "gzip" in problem(response, 415)["detail"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_an_unsupported_method_is_rejected(service, method):
    response = service.request(method, "/predict")
    problem(response, 405)
    assert "POST" in response[1]["Allow"]


def test_an_unknown_path_is_not_found(service):
    assert "/nowhere" in problem(service.request("POST", "/nowhere", b"1", JSON), 404)["detail"]
    problem(service.request("GET", "/notebook/1"), 404)


def test_json_args_of_a_form_are_scored(service):
    response = service.request("POST", "/predict", b"json_args=%5B1%2C+%22%C3%A4%22%5D", FORM)
    assert (response[0], json.loads(response[2])) == (200, {"seen": [1, "ä"]})
    problem(service.request("POST", "/predict", b"json_args=", FORM), 400)
    problem(service.request("POST", "/predict", b"json_args=%ff", FORM), 400)


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_is_never_loaded(service, tmp_path):
    trap = tmp_path / "created"
    pickled = pickle.dumps(Touch(trap))
    form = b"args=" + base64.b64encode(pickled).replace(b"+", b"%2B")
    assert "never read" in problem(service.request("POST", "/predict", form, FORM), 415)["detail"]
    octets = {"Content-Type": "application/octet-stream"}
    problem(service.request("POST", "/predict", pickled, octets), 415)
    problem(service.request("POST", "/predict", base64.b64encode(pickled), JSON), 400)
    problem(service.request("POST", "/model", pickled, octets), 405)
    assert not trap.exists()


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        ("no", "rejected the sample"),
        ("bad", "the validator raised ValueError: only the service's log has"),
    ],
)
def test_a_rejection_by_the_validator_is_reported(service, sample, reason):
    response = service.request("POST", "/predict", json.dumps(sample), JSON)
    assert reason in problem(response, 422)["detail"]


@pytest.mark.parametrize(
    ("sample", "text"),
    [
        ("raise", "ZeroDivisionError"),
        ("secret", "hunter2"),
        ("wicked", "Wicked: its message cannot be shown"),
        ("exit", "SystemExit"),
        ("interrupt", "KeyboardInterrupt"),
        ("generator exit", "GeneratorExit"),
        ("recursion", "RecursionError"),
    ],
)
def test_an_exception_of_the_predictor_is_only_in_the_log(service, sample, text):
    request_id = f"test-{sample.replace(' ', '-')}"
    headers = {**JSON, "X-Request-Id": request_id}
    response = service.request("POST", "/predict", json.dumps(sample), headers)
    assert problem(response, 500)["request_id"] == request_id
    assert text not in response[2].decode()
    [line] = [event for event in service.events("failed") if event.get("request") == request_id]
    assert text in line["error"]
    assert line["where"].startswith("model.ipynb, cell 1, line ")
    assert line["level"] == "error"
    assert "seconds" in line


def test_a_predictor_may_use_a_process_pool(service):
    for _ in range(3):
        assert service.predict("pool") == (200, 3)
    assert service.predict("a") == (200, {"seen": "a"})


def test_a_predictor_cannot_silence_the_log_of_the_service(service):
    for number in range(6):
        headers = {**JSON, "X-Request-Id": f"silence-{number}"}
        problem(service.request("POST", "/predict", '"silence"', headers), 500)
    logged = {event.get("request") for event in service.events("failed")}
    assert {f"silence-{number}" for number in range(6)} <= logged


def test_a_prediction_without_json_form_is_reported_by_type(service):
    response = service.request("POST", "/predict", '"object"', JSON)
    assert "an object has no JSON form" in problem(response, 500)["detail"]
    problem(service.request("POST", "/predict", '"deep"', JSON), 500)


def test_only_a_safe_request_id_is_kept(service):
    headers = {"X-Request-Id": "a-1_b.c:d"}
    assert service.request("GET", "/livez", headers=headers)[1]["X-Request-Id"] == "a-1_b.c:d"
    for bad in ("a b", "x" * 200, 'a"b', "<script>"):
        _status, response_headers, _body = service.request(
            "GET", "/livez", headers={"X-Request-Id": bad}
        )
        assert response_headers["X-Request-Id"] != bad


def test_requests_are_counted_by_outcome(service):
    before = service.metrics()
    service.predict("raise")
    service.predict("no")
    service.request("POST", "/predict", b"x", JSON)
    service.request("POST", "/predict", b"x", {"Content-Type": "text/plain"})
    service.request("POST", "/predict", b"x" * 2_000_000, JSON)
    service.predict("counted")
    service.request("GET", "/nothing")
    raw(service, b"nonsense\r\n\r\n")
    after = service.metrics()
    increase = {name: after[name] - before.get(name, 0) for name in after if "bucket" not in name}
    increase = {name: by for name, by in increase.items() if by and "_sum" not in name}
    statuses = {"predict": (200, 400, 413, 415, 422, 500), "page": (200, 404), "none": (400,)}
    assert increase == {
        **{
            f'nachlass_requests_total{{route="{route}",status="{status}"}}': 1
            for route in statuses
            for status in statuses[route]
        },
        "nachlass_failures_total": 1,
        'nachlass_rejected_total{reason="refused"}': 1,
        'nachlass_rejected_total{reason="not_json"}': 1,
        'nachlass_rejected_total{reason="media_type"}': 1,
        'nachlass_rejected_total{reason="too_large"}': 1,
        'nachlass_predictions_total{field="seen",value="counted"}': 1,
        "nachlass_processing_seconds_count": 1,
        "nachlass_samples_total": 1,
    }


def test_a_client_that_sends_half_a_body_times_out(service):
    started = time.monotonic()
    half = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    response = raw(service, half + b'Content-Length: 100\r\n\r\n["half', seconds=30)
    assert b"408" in response.splitlines()[0]
    assert b"application/problem+json" in response
    assert time.monotonic() - started < 20


def test_a_client_that_sends_half_its_headers_is_disconnected(service):
    started = time.monotonic()
    assert raw(service, b"POST /predict HTTP/1.1\r\nHost: x\r\nX-Slow: ", seconds=30) == b""
    assert time.monotonic() - started < 20
    assert not service.events("gunicorn")


def test_slow_clients_do_not_block_other_requests(service):
    connections = []
    try:
        for _ in range(40):
            connection = socket.create_connection(("127.0.0.1", service.port), timeout=5)
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n[")
            connections.append(connection)
        started = time.monotonic()
        assert service.predict("quick") == (200, {"seen": "quick"})
        assert time.monotonic() - started < 8
    finally:
        for connection in connections:
            connection.close()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GARBAGE\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", b"431"),
        (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (
            (
                b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            b"400",
        ),
    ],
)
def test_malformed_http_is_rejected(service, data, status):
    assert status in raw(service, data).splitlines()[0]


def test_a_connection_serves_several_requests(service):
    one = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    first = one + b"Content-Length: 1\r\n\r\n1"
    last = one + b"Connection: close\r\nContent-Length: 1\r\n\r\n2"
    received = raw(service, first + last)
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert received.index(b'{"seen": 1}') < received.index(b'{"seen": 2}')


def test_the_logged_curl_command_works(service):
    ready = service.event("ready")
    sample = json.loads(shlex.split(ready["curl"])[-1])  # made up by the build
    done = subprocess.run(ready["curl"], shell=True, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"seen": sample}
