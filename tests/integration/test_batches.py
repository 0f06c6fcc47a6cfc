"""Batches in one request: formats, bad rows, truncated streams, limits."""

import csv
import io
import json
import os
import re
import socket
import struct
import threading
import time
import uuid
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.command import user_environment
from support.project import TESTS
from support.served import served

LINES = "application/x-ndjson"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
JSON = "application/json"
FORMATS = [LINES, CSV, ARROW, PARQUET]
MAX_BYTES = 1_000_000
ROW = {"id": "007", "text": "a", "n": 1.5, "ok": True, "tags": ["x"]}


@pytest.fixture(scope="module")
def bundle(built_cells):
    bundle = built_cells("rows", (TESTS / "support/rows.nb.txt").read_text())
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["batch"] is True
    assert manifest["slim"]["kept"]["pyarrow"] == "the service's Arrow and Parquet"
    return bundle


@pytest.fixture(scope="module")
def service(bundle, cache):
    variables = {"S2I_MAX_BODY_BYTES": str(MAX_BYTES)}
    with served(bundle, user_environment(cache), WEB_CONCURRENCY="1", **variables) as service:
        yield service


@pytest.fixture(autouse=True)
def no_worker_is_lost(request):
    """Check that a test with the shared service loses no worker."""
    if "service" not in request.fixturenames:
        yield
        return
    service = request.getfixturevalue("service")
    before = service.workers
    yield
    assert service.workers == before
    assert service.request("GET", "/livez")[0] == 200


def rows_of(*texts):
    return [{**ROW, "id": f"{n:03}", "text": text} for n, text in enumerate(texts)]


def encode(rows, media_type):
    """Encode rows as a request body."""
    if media_type == LINES:
        return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    if media_type == CSV:
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(ROW)
        for row in rows:
            writer.writerow([*list(row.values())[:-1], json.dumps(row["tags"])])
        return out.getvalue().encode()
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("text", pa.dictionary(pa.int32(), pa.string())),
            ("n", pa.float64()),
            ("ok", pa.bool_()),
            ("tags", pa.list_(pa.string())),
        ]
    )
    table = pa.Table.from_pylist(rows, schema)
    sink = io.BytesIO()
    if media_type == PARQUET:
        pq.write_table(table, sink)
    else:
        with pa.ipc.new_stream(sink, schema) as writer:
            writer.write_table(table, max_chunksize=3)
    return sink.getvalue()


def decode(body, media_type):
    """Decode the rows of a response body: predictions, and problems as objects."""
    if media_type == LINES:
        rows = list(map(json.loads, body.splitlines()))
    elif media_type == JSON:
        rows = json.loads(body)
    elif media_type == CSV:
        rows = [
            {
                name: json.loads(cell) if name == "error" else cell
                for name, cell in row.items()
                if cell
            }
            for row in csv.DictReader(io.StringIO(body.decode(), newline=""))
        ]
    else:
        table = (
            pa.ipc.open_stream(body).read_all()
            if media_type == ARROW
            else pq.read_table(io.BytesIO(body))
        )
        assert pa.types.is_dictionary(table.schema.field("prediction").type)
        rows = [
            {"error": json.loads(row["error"])}
            if row["error"]
            else {"prediction": row["prediction"]}
            for row in table.to_pylist()
        ]
    assert all(len(row) == 1 for row in rows)
    return [row.get("error", row.get("prediction")) for row in rows]


def post(service, body, media_type, accept=None, **headers):
    headers = {"Content-Type": media_type, **headers}
    if accept:
        headers["Accept"] = accept
    return service.request("POST", "/predict", body, headers)


def predict_rows(service, body, media_type, accept=None):
    """Send a batch, check the response's media type, and return its rows."""
    status, headers, text = post(service, body, media_type, accept)
    assert status == 200, text
    assert headers["Content-Type"].partition(";")[0] == (accept or media_type)
    assert headers["Model-Digest"]
    return decode(text, accept or media_type)


def problem(response, status):
    assert response[0] == status, response
    assert response[1]["Content-Type"] == "application/problem+json"
    return json.loads(response[2])["detail"]


def predictions(rows):
    return [json.dumps(row, ensure_ascii=False, sort_keys=True) for row in rows]


@pytest.mark.parametrize("accept", [None, *FORMATS, JSON])
@pytest.mark.parametrize("media_type", FORMATS)
def test_every_format_is_read_and_written(service, media_type, accept):
    rows = rows_of("a", "ä€😀", 'a "quoted", cell\r\nof two lines', "", "007", "a" * 300)
    assert predict_rows(service, encode(rows, media_type), media_type, accept) == predictions(rows)
    assert predict_rows(service, encode([], media_type), media_type, accept) == []


@pytest.mark.parametrize("media_type", FORMATS)
def test_a_bad_row_gets_its_own_error(service, media_type):
    rows = rows_of("a", "raise", "no", "b", "bad", "object", "c")
    before = service.metrics()
    results = predict_rows(service, encode(rows, media_type), media_type)
    good = [n for n, row in enumerate(rows) if len(row["text"]) == 1]
    assert [results[n] for n in good] == predictions(rows[n] for n in good)
    bad = {n: results[n] for n in range(len(rows)) if n not in good}
    assert {n: error["row"] for n, error in bad.items()} == {n: n for n in bad}
    assert [error["status"] for error in bad.values()] == [500, 422, 422, 500]
    assert "hunter2" not in str(results)
    logged = [one for one in service.events("failed") if one["request"] == bad[1]["request_id"]]
    assert [one["row"] for one in logged] == [1, 5]
    after = service.metrics()
    increase = {name: after[name] - before.get(name, 0) for name in after}
    assert increase["nachlass_batch_seconds_count"] == 1
    assert increase["nachlass_failures_total"] == 2
    assert increase['nachlass_rejected_total{reason="refused"}'] == 2
    assert sum(by for name, by in increase.items() if "predictions_total" in name) == 3


def test_unreadable_rows_get_their_own_errors(service):
    lines = b'{"text": "a"}\nnope\n{"text": NaN}\n{"text": "\xff"}\n\n  \n' + b"[" * 9999
    results = predict_rows(service, lines + b'\n{"text": "b"}', LINES)
    assert [results[0], results[-1]] == predictions([{"text": "a"}, {"text": "b"}])
    assert [(error["row"], error["status"]) for error in results[1:-1]] == [
        *((1, 400), (2, 400), (3, 400), (4, 400))
    ]
    text = b'\xef\xbb\xbftext,n\r\na,1\r\nb\r\nc,x\r\n\xff,1\r\n"d"e,2\r\nf,\r\n'
    results = predict_rows(service, text, CSV, LINES)
    assert [results[0], results[-1]] == predictions(
        [{"text": "a", "n": 1}, {"text": "f", "n": None}]
    )
    assert [(error["row"], error.get("pointer")) for error in results[1:-1]] == [
        *((1, ""), (2, "/n"), (3, "/text"), (4, ""))
    ]


def test_a_json_body_stays_a_single_sample(service):
    headers = {"Content-Type": JSON, "Accept": "text/csv"}
    status, _headers, body = service.request("POST", "/predict", json.dumps(ROW), headers)
    assert (status, json.loads(body)) == (200, predictions([ROW])[0])


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", CSV),
        ("application/*", JSON),
        (f"{JSON};q=0.5, {LINES}", LINES),
        (f"image/png, {JSON};q=0.1", JSON),
        ("text/*", CSV),
    ],
)
def test_the_accept_header_selects_the_response_format(service, accept, expected):
    _status, headers, _body = post(service, encode([ROW], CSV), CSV, accept)
    assert headers["Content-Type"].partition(";")[0] == expected


@pytest.mark.parametrize(
    ("media_type", "headers", "status", "message"),
    [
        (CSV, {"Accept": "image/png"}, 406, "application/json"),
        (CSV, {"Accept": f"{CSV};q=0"}, 406, "is available as"),
        (LINES, {"Content-Encoding": "gzip"}, 415, "gzip"),
        (f"{CSV}; charset=latin-1", {}, 415, "latin-1"),
        ("application/vnd.apache.arrow.file", {}, 415, "is not supported"),
    ],
)
def test_an_unsupported_format_or_encoding_is_rejected(
    service, media_type, headers, status, message
):
    response = post(service, encode([ROW], CSV), media_type, **headers)
    assert message in problem(response, status)


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        (CSV, b""),
        (CSV, b'"a'),
        (CSV, b"a,a\n1,2\n"),
        (ARROW, b""),
        (ARROW, b"\xff\xff\xff\xff\xff\xff\xff\xff"),
        (ARROW, b"\x80\x04K\x01." * 100),
        (ARROW, encode([ROW], ARROW)[:100]),
        (ARROW, encode([ROW], PARQUET)),
        (PARQUET, b""),
        (PARQUET, b"PAR1" * 100),
        (PARQUET, encode([ROW], PARQUET)[:-100]),
    ],
)
def test_an_unreadable_body_is_rejected(service, media_type, body):
    assert problem(post(service, body, media_type), 400)


def test_a_truncated_stream_is_scored_up_to_the_break(service):
    rows = rows_of(*"abcdefgh")
    body = encode(rows, ARROW)
    *results, last = predict_rows(service, body[:-500], ARROW)
    assert results == predictions(rows[:6])
    assert (last["row"], last["status"]) == (6, 400)
    *results, last = predict_rows(service, body[:-500], ARROW, JSON)
    assert (len(results), last["row"]) == (6, 6)
    *results, last = predict_rows(service, encode(rows, CSV) + b'9,"open', CSV)
    assert results == predictions(rows)
    assert (last["row"], last["status"]) == (8, 400)


def test_the_size_limit_applies_to_rows_and_not_to_the_body(service):
    wide = {"text": "x" * MAX_BYTES}
    rows = [{"text": "a"}, wide, *rows_of(*["number"] * 20_000), {"text": "b"}]
    body = encode(rows, LINES)
    assert len(body) > 2 * MAX_BYTES
    results = predict_rows(service, body, LINES)
    assert len(results) == len(rows)
    assert (results[1]["row"], results[1]["status"]) == (1, 413)
    assert results[-1] == predictions([{"text": "b"}])[0]
    [first, last] = predict_rows(service, b"text\na\n" + b"x" * 2 * MAX_BYTES, CSV, LINES)
    assert first == predictions([{"text": "a"}])[0]
    assert (last["row"], last["status"]) == (1, 413)
    incompressible = os.urandom(MAX_BYTES).hex()
    for media_type in (ARROW, PARQUET):
        response = post(service, encode([{**ROW, "text": incompressible}], media_type), media_type)
        assert str(MAX_BYTES) in problem(response, 413)


def test_a_compressed_message_is_rejected_before_it_is_decompressed(service):
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    text = pa.record_batch([pa.array(["x" * 100_000_000])], names=["text"])
    with pa.ipc.new_stream(sink, text.schema, options=options) as writer:
        writer.write_batch(text)
    assert len(sink.getvalue()) < MAX_BYTES / 10
    before = resident(service)
    assert str(MAX_BYTES) in problem(post(service, sink.getvalue(), ARROW), 413)
    assert resident(service) - before < 50_000_000


def resident(service):
    """Return the peak resident memory of the worker in bytes."""
    [worker] = service.workers
    status = Path(f"/proc/{worker}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024


def test_memory_is_bounded(service):
    line = json.dumps({"text": "number", "id": "x" * 470}).encode() + b"\n"
    before = resident(service)
    status, _headers, body = post(service, (line * 200 for _ in range(500)), LINES)
    assert (status, body.count(b"\n")) == (200, 100_000)
    assert resident(service) - before < 25_000_000


def test_predictions_are_streamed_before_the_body_is_complete(service):
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
    row = b'{"text": "huge", "id": "%b"}\n' % (b"x" * 30_000)
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % (100 * len(row)))
        connection.sendall(row * 99)
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
        received = 0
        while received < MAX_BYTES:
            piece = connection.recv(1 << 16)
            assert piece
            received += len(piece)
        connection.sendall(row)
        received = b""
        while not received.endswith(b"\r\n0\r\n\r\n"):
            piece = connection.recv(1 << 16)
            assert piece
            received = received[-10:] + piece


def test_a_disconnected_client_stops_the_scoring(service):
    trace = Path("/dev/shm") / f"rows-{uuid.uuid4().hex}"
    rows = [{"text": "seen", "id": trace.name}] * 5000
    body = encode(rows, LINES)
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
    try:
        with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
            connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
            reset_on_close(connection)
        service.wait_until(lambda: has_stopped_growing(trace), "the scoring goes on")
        assert 0 < trace.stat().st_size < len(rows) / 2
    finally:
        trace.unlink(missing_ok=True)


def reset_on_close(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def has_stopped_growing(trace):
    before = trace.stat().st_size
    time.sleep(0.5)
    return trace.stat().st_size == before


def test_rows_before_a_half_close_are_scored(service):
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(head + b'Content-Length: 99\r\n\r\n{"text": "a"}\n')
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while piece := connection.recv(1 << 16):
            received += piece
    assert received.startswith(b"HTTP/1.1 200")
    assert received.index(b'{"prediction": ') < received.index(b'{"error": {')
    assert b'"status": 408' in received
    assert b'"row": 1' in received


def test_a_connection_is_reused_after_a_batch(service):
    body = encode(rows_of("a"), LINES)
    batch = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
    batch += b"Content-Length: %d\r\n" % len(body)
    alone = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    alone += b"Content-Length: 13\r\n"
    sent = [batch + b"\r\n" + body, alone + b'\r\n{"text": "b"}'] * 2
    sent.append(batch + b"Connection: close\r\n\r\n" + body)
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(b"".join(sent))
        received = b""
        while piece := connection.recv(1 << 16):
            received += piece
    assert received.count(b"HTTP/1.1 200 OK") == 5
    assert received.count(b'{"prediction": ') == 3


def test_http_1_0_and_expect_100_continue_are_supported(service):
    body = encode(rows_of("a"), LINES)
    head = b"POST /predict HTTP/1.0\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(head % len(body) + b"\r\n" + body)
        received = b""
        while piece := connection.recv(1 << 16):
            received += piece
    assert received.partition(b"\r\n\r\n")[2].startswith(b'{"prediction": ')
    head = head.replace(b"1.0\r\n", b"1.1\r\nHost: x\r\nExpect: 100-continue\r\n")
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(head % len(body) + b"\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(body)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_other_requests_are_answered_during_a_batch(service):
    body = encode(rows_of(*["nap"] * 40), LINES)
    ended = threading.Event()

    def send_batch():
        predict_rows(service, body, LINES)
        ended.set()

    thread = threading.Thread(target=send_batch)
    thread.start()
    time.sleep(0.2)
    for path in ("/livez", "/readyz", "/metrics"):
        assert service.request("GET", path)[0] == 200
    assert service.predict({"text": "b"})[0] == 200
    assert not ended.is_set()
    thread.join()


def test_the_number_of_concurrent_batches_is_limited(service):
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
    rows = b"text\n" + (b"a" * 999 + b"\n") * 1200
    with ExitStack() as opened:

        def begin(sent):
            address = ("127.0.0.1", service.port)
            connection = opened.enter_context(socket.create_connection(address, timeout=30))
            connection.sendall(head + b"Content-Length: 9999999\r\n\r\n" + sent)

        def is_full():
            begin(rows)
            return post(service, b"text\na\n", CSV)[0] == 503

        for _ in range(8):  # a batch that has sent little takes no slot
            begin(b"text\n")
            assert post(service, b"text\na\n", CSV)[0] == 200
        service.wait_until(is_full, "batches are not limited")
        response = post(service, b"text\na\n", CSV)
        assert problem(response, 503)
        assert response[1]["Retry-After"]
    service.wait_until(lambda: post(service, b"text\na\n", CSV)[0] == 200, "no slot is free")


def test_nothing_is_unpickled(service):
    class Touch:
        def __reduce__(self):
            return open, (str(trap), "w")

    trap = Path("/dev/shm") / f"created-{uuid.uuid4().hex}"
    field = pa.field(
        "text",
        pa.string(),
        metadata={
            "ARROW:extension:name": "arrow.py_extension_type",
            "ARROW:extension:metadata": __import__("pickle").dumps(Touch()),
        },
    )
    schema = pa.schema([field])
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch([pa.array(["a"])], schema=schema))
    post(service, sink.getvalue(), ARROW)
    assert not trap.exists()


def test_a_row_that_exceeds_the_timeout_ends_the_batch(bundle, environ):
    with served(bundle, environ, WEB_CONCURRENCY="1", S2I_PREDICT_TIMEOUT="1") as service:
        rows = rows_of("a", "raise", "forever", "b")
        *results, last = predict_rows(service, encode(rows, LINES), LINES)
        assert (last["status"], last["row"]) == (504, len(results))
        [worker] = service.workers
        service.wait_until(
            lambda: service.workers not in ([worker], []), "the worker is not replaced"
        )
        service.wait_until(service.is_ready, "the new worker is not ready")
        assert predict_rows(service, encode([ROW], LINES), LINES) == predictions([ROW])


def test_a_batch_is_limited_in_rows_and_in_seconds(bundle, environ):
    limits = {"S2I_MAX_BATCH_ROWS": "50", "S2I_MAX_BATCH_SECONDS": "1"}
    with served(bundle, environ, WEB_CONCURRENCY="1", **limits) as service:
        rows = rows_of(*["nap"] * 50)
        *results, last = predict_rows(service, encode(rows, LINES), LINES)
        assert 0 < len(results) < 50
        assert (last["status"], last["row"]) == (413, len(results))
        assert "S2I_MAX_BATCH_SECONDS" in last["detail"]
        for media_type in (LINES, CSV):
            rows = rows_of(*["a"] * 51)
            *results, last = predict_rows(service, encode(rows, media_type), media_type)
            assert results == predictions(rows[:50])
            assert (last["status"], last["row"]) == (413, 50)
        nulls = pa.record_batch([pa.nulls(900_000)], names=["text"])
        sink, file = io.BytesIO(), io.BytesIO()
        with pa.ipc.new_stream(sink, nulls.schema) as writer:
            writer.write_batch(nulls)
        pq.write_table(pa.table({"text": ["a"] * 900_000}), file, compression="zstd")
        for media_type, body in ((ARROW, sink.getvalue()), (PARQUET, file.getvalue())):
            detail = problem(post(service, body, media_type), 413)
            assert "at least 900000 rows (limit 50, set by S2I_MAX_BATCH_ROWS)" in detail
        assert service.metrics()['nachlass_rejected_total{reason="too_large"}'] == 5


def test_a_long_text_shared_by_many_rows_does_not_block_other_requests(service):
    """Send few bytes of Arrow: 100,000 rows of one text, half as large as the row limit."""
    text = pa.array(["x" * (MAX_BYTES // 2)])
    batch = pa.record_batch([pa.DictionaryArray.from_arrays([0] * 100_000, text)], names=["text"])
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    body = sink.getvalue()
    assert len(body) < 2000
    predict_rows(service, encode([ROW], ARROW), ARROW, LINES)  # imports pyarrow
    before = resident(service)
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n"
    head += b"Content-Type: %b\r\nContent-Length: %d\r\n\r\n" % (ARROW.encode(), len(body))
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(head + body)
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
        for _ in range(10):
            sent_at = time.monotonic()
            assert service.predict({"text": "b"})[0] == 200
            assert time.monotonic() - sent_at < 5
        reset_on_close(connection)
    assert resident(service) - before < 60_000_000


def test_json_with_too_many_values_is_rejected(service):
    body = b"[" + b"[]," * 330_000 + b"[]]"
    headers = {"Content-Type": JSON}
    assert "(limit 300000)" in problem(service.request("POST", "/predict", body, headers), 413)
    results = predict_rows(service, b'{"text": "a"}\n' + body + b'\n{"text": "b"}\n', LINES)
    assert [results[0], results[2]] == predictions([{"text": "a"}, {"text": "b"}])
    assert (results[1]["status"], results[1]["row"]) == (413, 1)


def test_a_batch_in_progress_is_completed_before_shutdown(bundle, environ):
    with served(bundle, environ, WEB_CONCURRENCY="1") as service:
        rows = rows_of(*["nap"] * 30)
        results = []
        thread = threading.Thread(
            target=lambda: results.extend(predict_rows(service, encode(rows, LINES), LINES))
        )
        thread.start()
        time.sleep(0.4)
        assert service.stop() == 0
        thread.join()
        assert results == predictions(rows)


def test_arrow_and_parquet_are_rejected_without_pyarrow(unruly, environ):
    with served(unruly, environ, WEB_CONCURRENCY="1") as service:
        for media_type in (ARROW, PARQUET):
            response = post(service, encode([ROW], media_type), media_type)
            assert "no pyarrow: add it to the notebook's `requirements`" in problem(response, 415)
        assert "S2I_SERVING_REQUIREMENTS" in problem(post(service, b"a\n1\n", CSV, ARROW), 406)
        assert predict_rows(service, b"1\n", LINES) == [{"seen": 1}]
        assert json.loads(service.request("GET", "/model")[2])["batches"] == [
            *(LINES, "application/jsonl", CSV)
        ]
