"""The limits on the rows and the duration of a batch."""

import io
import json
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from werkzeug.datastructures import MIMEAccept

from nachlass_service.base.errors import TooLargeError
from nachlass_service.base.settings import Settings
from nachlass_service.batches.batches import Batches, BatchRequest
from nachlass_service.batches.limits import Limits
from nachlass_service.bundle.model import Model
from nachlass_service.metrics.metrics import Metrics
from nachlass_service.scoring.scorer import Scorer
from support.manifest import prediction_with

LINES, CSV = "application/x-ndjson", "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
FORMATS = pytest.mark.parametrize("media_type", [LINES, CSV, ARROW, PARQUET])
MAX_ROWS = 10


class Clock:
    """A clock that advances with each scored row."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    for module in ("batches.batches", "batches.limits", "scoring.scorer"):
        monkeypatch.setattr(f"nachlass_service.{module}.time", clock)
    return clock


class Scored:
    """Batches scored by a model that records the samples, 1 s each."""

    def __init__(self, clock, *, batch=False, **variables):
        self.clock, self.samples, self.rejected = clock, [], []
        settings = {"S2I_MAX_BATCH_ROWS": str(MAX_ROWS), **variables}
        metrics = Metrics(prediction_with(), prefix="n", info={})
        metrics.counters.prepare(0)
        metrics.count_rejected = self.rejected.append
        manifest = SimpleNamespace(
            batch=batch, prediction=prediction_with(), input=SimpleNamespace(schema=True)
        )
        bundle = SimpleNamespace(manifest=manifest, samples=lambda: iter(()))
        model = Model(self.predict, None, lambda xs: list(map(self.predict, xs)))
        scorer = Scorer(bundle, model, metrics, Settings.from_environ(settings))
        scorer.start(lambda work: work())
        self.batches = Batches(scorer)

    def predict(self, sample):
        self.samples.append(sample)
        self.clock.now += 1
        return sample["x"]

    def answer(self, media_type, body):
        """Return the rows of an answer: predictions, and problems as objects."""
        read = io.BytesIO(body).read
        request = BatchRequest(media_type, "", MIMEAccept([(LINES, 1)]), len(body), read, "an-id")
        _type, pieces = self.batches.answer(request)
        rows = [json.loads(line) for line in b"".join(pieces).splitlines()]
        return [row.get("error", row.get("prediction")) for row in rows]


def body_of(media_type, rows, in_a_message=4):
    if media_type == LINES:
        return b"".join(b'{"x": %d}\n' % x for x in range(rows))
    if media_type == CSV:
        return b"x\n" + b"".join(b"%d\n" % x for x in range(rows))
    table, sink = pa.table({"x": range(rows)}), io.BytesIO()
    if media_type == PARQUET:
        pq.write_table(table, sink)
    else:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=in_a_message)
    return sink.getvalue()


@FORMATS
@pytest.mark.parametrize("batch", [True, False])
def test_a_batch_at_the_row_limit_is_answered(clock, media_type, batch):
    scored = Scored(clock, batch=batch)
    assert scored.answer(media_type, body_of(media_type, MAX_ROWS)) == [*range(MAX_ROWS)]
    assert len(scored.samples) == MAX_ROWS


@pytest.mark.parametrize("batch", [True, False])
@pytest.mark.parametrize("media_type", [LINES, CSV])
def test_a_row_over_the_limit_is_an_error_in_the_last_row(clock, media_type, batch):
    scored = Scored(clock, batch=batch)
    *answered, last = scored.answer(media_type, body_of(media_type, 50))
    assert answered == [*range(MAX_ROWS)]
    assert (last["status"], last["row"]) == (413, MAX_ROWS)
    assert "(limit 10, set by S2I_MAX_BATCH_ROWS)" in last["detail"]
    assert scored.rejected == ["too_large"]


def test_record_batches_within_the_limit_are_answered(clock):
    scored = Scored(clock)
    *answered, last = scored.answer(ARROW, body_of(ARROW, 50))
    assert answered == [*range(8)]
    assert (last["status"], last["row"]) == (413, 8)


@pytest.mark.parametrize("media_type", [ARROW, PARQUET])
def test_a_declared_number_of_rows_over_the_limit_is_rejected_before_scoring(clock, media_type):
    scored = Scored(clock)
    with pytest.raises(TooLargeError, match=r"at least 11 rows \(limit 10, set by S2I_MAX_BATCH"):
        scored.answer(media_type, body_of(media_type, 11, in_a_message=11))
    assert scored.samples == []


@FORMATS
@pytest.mark.parametrize("batch", [True, False])
def test_a_batch_that_takes_too_long_ends_between_two_turns(clock, media_type, batch):
    scored = Scored(clock, batch=batch, S2I_MAX_BATCH_SECONDS="4.5", S2I_MAX_BATCH_ROWS="1000")
    *answered, last = scored.answer(media_type, body_of(media_type, 100))
    assert answered == [*range(len(answered))]
    assert len(answered) == (16 if batch and media_type != ARROW else 8 if batch else 5)
    assert (last["status"], last["row"]) == (413, len(answered))
    assert "(limit 4.5 s, set by S2I_MAX_BATCH_SECONDS)" in last["detail"]


@FORMATS
def test_a_batch_whose_last_row_is_late_is_complete(clock, media_type):
    scored = Scored(clock, S2I_MAX_BATCH_SECONDS="4.5")
    assert scored.answer(media_type, body_of(media_type, 5)) == [*range(5)]


def test_reading_counts_towards_the_time_limit(clock, monkeypatch):
    monkeypatch.setattr("nachlass_service.batches.batches.AHEAD_BYTES", 1)
    scored = Scored(clock, S2I_MAX_BATCH_SECONDS="600")
    body = io.BytesIO(body_of(PARQUET, 5))

    def read_slowly(size):
        clock.now += 601
        return body.read(size)

    request = BatchRequest(PARQUET, "", MIMEAccept(), None, read_slowly, "an-id")
    with pytest.raises(TooLargeError, match="took too long"):
        list(scored.batches.answer(request)[1])
    assert scored.samples == []


def test_the_time_limit_is_inclusive(clock):
    limits = Limits(Settings.from_environ({"S2I_MAX_BATCH_SECONDS": "5"}))
    clock.now = 5.0
    limits.check_time()
    clock.now = 5.1
    with pytest.raises(TooLargeError, match=r"limit 5 s, set by S2I_MAX_BATCH_SECONDS"):
        limits.check_time()
