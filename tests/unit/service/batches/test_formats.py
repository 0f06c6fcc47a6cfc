"""Every format is an entry in a table, which determines everything about it."""

import io
import json
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from werkzeug.datastructures import MIMEAccept

from nachlass_service.base.errors import MediaTypeError, NotAcceptableError
from nachlass_service.base.settings import Settings
from nachlass_service.batches import formats, optional_pyarrow
from nachlass_service.batches.batches import Batches, BatchRequest
from nachlass_service.batches.formats import FORMATS, Format, is_batch, types_taken, types_written
from nachlass_service.bundle.model import Model
from nachlass_service.metrics.metrics import Metrics
from nachlass_service.scoring.scorer import Scorer
from support.manifest import prediction_with

ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
TEXT = ["application/x-ndjson", "application/jsonl", "text/csv"]
SAMPLES = [{"x": 1}, {"x": 2}]


def written_as(media_type):
    table, sink = pa.Table.from_pylist(SAMPLES), io.BytesIO()
    if media_type == PARQUET:
        pq.write_table(table, sink)
    elif media_type == ARROW:
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
    elif media_type == "text/csv":
        sink.write(b"x\n1\n2\n")
    else:
        sink.write(b"".join(json.dumps(sample).encode() + b"\n" for sample in SAMPLES))
    return sink.getvalue()


def predictions_in(media_type, answer):
    if media_type == PARQUET:
        return pq.read_table(io.BytesIO(answer))["prediction"].to_pylist()
    if media_type == ARROW:
        return pa.ipc.open_stream(answer).read_all()["prediction"].to_pylist()
    if media_type == "text/csv":
        return [json.loads(line.split(",")[0]) for line in answer.decode().splitlines()[1:]]
    rows = json.loads(answer) if answer[:1] == b"[" else map(json.loads, answer.splitlines())
    return [row["prediction"] for row in rows]


@pytest.fixture
def batches():
    prediction = prediction_with()
    metrics = Metrics(prediction, prefix="n", info={})
    metrics.counters.prepare(0)
    bundle = SimpleNamespace(
        manifest=SimpleNamespace(
            batch=False, prediction=prediction, input=SimpleNamespace(schema=True)
        ),
        samples=lambda: iter([({"x": 1}, 10)]),
    )
    scorer = Scorer(bundle, Model(lambda x: 10 * x["x"]), metrics, Settings.from_environ({}))
    scorer.start(lambda work: work())
    return Batches(scorer)


def answered(batches, media_type, body, *accept):
    request = BatchRequest(
        *(media_type, "", MIMEAccept([(name, 1) for name in accept])),
        *(len(body), io.BytesIO(body).read, "an-id"),
    )
    answered_as, pieces = batches.answer(request)
    return answered_as, b"".join(pieces)


@pytest.mark.parametrize("accept", FORMATS)
@pytest.mark.parametrize("media_type", [name for name in FORMATS if is_batch(name)])
def test_every_input_format_can_be_answered_in_every_output_format(batches, media_type, accept):
    answered_as, answer = answered(batches, media_type, written_as(media_type), accept)
    assert answered_as == accept
    assert predictions_in(accept, answer) == [10, 20]


@pytest.mark.parametrize("media_type", [name for name in FORMATS if is_batch(name)])
def test_a_batch_is_answered_in_its_own_format(batches, media_type):
    assert answered(batches, media_type, written_as(media_type))[0] == media_type
    assert answered(batches, media_type, written_as(media_type), "*/*")[0] == media_type


def test_a_batch_is_recognized_by_its_content_type():
    assert types_taken() == [*TEXT, ARROW, PARQUET]
    assert types_written() == ["application/json", *TEXT, ARROW, PARQUET]
    assert is_batch(" Text/CSV ; charset=utf-8")
    assert not any(map(is_batch, ["", "application/json", "text/csvx", "text/plain"]))


def test_formats_of_pyarrow_are_not_offered_without_it(batches, monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda _name: None)
    assert types_taken() == TEXT
    assert types_written() == ["application/json", *TEXT]
    with pytest.raises(NotAcceptableError, match="other types need pyarrow: add it to"):
        answered(batches, "text/csv", b"x\n1\n", PARQUET)


def test_pyarrow_is_not_suggested_if_it_is_installed(batches):
    with pytest.raises(NotAcceptableError) as raised:
        answered(batches, "text/csv", b"x\n1\n", "image/png")
    assert "pyarrow" not in str(raised.value)


@pytest.mark.parametrize("media_type", [ARROW, PARQUET])
def test_an_unsafe_pyarrow_is_not_used(batches, media_type, monkeypatch):
    body = written_as(media_type)
    monkeypatch.setattr(optional_pyarrow.pyarrow(), "__version__", "14.0.0")
    with pytest.raises(MediaTypeError, match="may unpickle"):
        answered(batches, media_type, body)
    assert answered(batches, "text/csv", b"x\n1\n")[0] == "text/csv"


def test_a_format_is_added_by_an_entry_in_the_table(batches, monkeypatch):
    lines = FORMATS["application/x-ndjson"]
    monkeypatch.setitem(FORMATS, "text/x-new", Format(lines.reader, lines.writer, "", ""))
    assert is_batch("text/x-new")
    assert "text/x-new" in types_taken()
    assert answered(batches, "text/x-new", b'{"x": 1}\n')[1] == b'{"prediction": 10}\n'
