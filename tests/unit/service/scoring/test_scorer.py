"""Requests scored at once get the same result as alone."""

import json
from types import SimpleNamespace

import pytest

from nachlass_service.base.errors import (
    BadRowError,
    NotJsonError,
    OverloadedError,
    PredictorError,
    RefusedError,
    TimeLimitError,
    UnserialisableError,
)
from nachlass_service.bundle.model import Model
from nachlass_service.metrics.metrics import Metrics
from nachlass_service.metrics.series import INPUTS
from nachlass_service.scoring.request_body import PredictRequest
from nachlass_service.scoring.scorer import Scored, Scorer
from nachlass_service.scoring.stride import FIRST_ROWS, Stride
from support.manifest import features_with, prediction_with


def validator(x):
    return x != "refused"


def predictor(x):
    if x == "bad":
        raise ValueError(x)
    if x == "object":
        return object()
    return [x]


class Batches:
    def __init__(self):
        self.seen = []

    def __call__(self, xs):
        self.seen.append(xs)
        return [predictor(x) for x in xs]


def scorer_of(model, *, batch=True):
    bundle = SimpleNamespace(
        manifest=SimpleNamespace(batch=batch, input=SimpleNamespace(schema=True))
    )
    metrics = Metrics(
        prediction_with(ladder=(1.0,)),
        prefix="n",
        info={},
        features=features_with(buckets={"": (1.5,)}),
    )
    metrics.counters.prepare(0)
    return Scorer(
        bundle, model, metrics, SimpleNamespace(predict_timeout_s=60.0, strict_schema=False)
    )


def seen(scorer):
    """Return the counts of inputs up to 1.5, above it, and others."""
    return scorer.metrics.counters.sums(INPUTS)


def requests_of(*bodies):
    return [PredictRequest("application/json", "", body) for body in bodies]


def values_of(outcomes):
    """Return answers as values, failures as types."""
    return [
        json.loads(outcome.text) if isinstance(outcome, Scored) else type(outcome)
        for outcome in outcomes
    ]


def test_valid_samples_are_scored_at_once():
    batches = Batches()
    scorer = scorer_of(Model(predictor, validator, batches))
    assert values_of(scorer.predict_many(requests_of(b"1", b'"a"', b"null"))) == [
        [1],
        ["a"],
        [None],
    ]
    assert batches.seen == [[1, "a", None]]


def test_the_input_is_binned_before_it_is_scored():
    def spoiling(xs):
        answers = [[x] for x in xs]
        xs[:] = [0] * len(xs)
        return answers

    scorer = scorer_of(Model(predictor, validator, spoiling))
    outcomes = scorer.predict_many(requests_of(b"1", b"2", b'"a"', b'"refused"'))
    assert [one.inputs for one in outcomes[:3]] == [[[0]], [[1]], [[2]]]
    assert scorer.predict(requests_of(b"2")[0]).inputs == [[1]]
    assert sum(seen(scorer)) == 0  # they are counted when they are answered


def test_the_input_is_counted_once_for_answered_rows():
    for batch in (True, False):
        scorer = scorer_of(Model(predictor, validator, Batches()), batch=batch)
        score(scorer, "1", "2", '"a"', '"refused"')
        assert seen(scorer) == [1, 1, 1]
        score(scorer, "1", '"bad"')  # they fail as a batch
        assert seen(scorer) == [2, 1, 1]


def test_an_error_is_reported_only_to_its_sender():
    batches = Batches()
    scorer = scorer_of(Model(predictor, validator, batches))
    outcomes = scorer.predict_many(requests_of(b"1", b"[", b'"refused"', b"2"))
    assert values_of(outcomes) == [[1], NotJsonError, RefusedError, [2]]
    assert batches.seen == [[1, 2]]


@pytest.mark.parametrize("bad", ["bad", "object"])
def test_a_batch_that_fails_is_scored_one_by_one(bad):
    scorer = scorer_of(Model(predictor, validator, Batches()))
    requests = requests_of(b"1", json.dumps(bad).encode(), b"2")
    one, failure, two = scorer.predict_many(requests)
    assert values_of([one, two]) == [[1], [2]]
    assert isinstance(failure, type(scorer.predict(requests[1])))


def test_samples_are_read_again_after_a_batch_that_modified_them():
    def spoil(xs):
        for x in xs:
            x.append("spoilt")
        raise ValueError

    scorer = scorer_of(Model(predictor, None, spoil))
    assert values_of(scorer.predict_many(requests_of(b"[1]", b"[2]"))) == [[[1]], [[2]]]


@pytest.mark.parametrize("answer", [[1], 5, None, [[1]] * 3])
def test_a_batch_result_of_another_length_is_ignored(answer):
    scorer = scorer_of(Model(predictor, None, lambda _xs: answer))
    assert values_of(scorer.predict_many(requests_of(b"1", b"2"))) == [[1], [2]]


def test_lists_of_samples_of_a_pipeline_are_kept_together():
    batches = Batches()
    scorer = scorer_of(Model(predictor, None, batches, listwise=True))
    assert values_of(scorer.predict_many(requests_of(b"[1, 2]", b"3", b"[4]", b"5"))) == [
        *([[1], [2]], [3]),
        *([[4]], [5]),
    ]
    assert sorted(batches.seen, key=str) == [[1, 2], [3, 5], [4]]


def test_no_exception_of_a_model_escapes():
    def leave(_x):
        raise SystemExit

    scorer = scorer_of(Model(leave, None, leave))
    assert values_of(scorer.predict_many(requests_of(b"1", b"2"))) == [
        PredictorError,
        PredictorError,
    ]


# Batches in one request.


class Rows:
    """Rows of a batch from JSON texts or errors."""

    def __init__(self, *texts):
        self.texts = texts

    def __len__(self):
        return len(self.texts)

    def samples(self):
        return [text if isinstance(text, Exception) else json.loads(text) for text in self.texts]


def score(scorer, *texts, run=lambda work: work()):
    """Return the outcomes of rows."""
    scorer.start(run)
    return [one for some in scorer.score(Rows(*texts), scorer.stride()) for one in some]


def scored(model, *texts, run=lambda work: work()):
    """Return the outcomes of rows, failures as types."""
    outcomes = score(scorer_of(model), *texts, run=run)
    return [type(one) if isinstance(one, Exception) else one for one in outcomes]


def test_rows_are_scored_at_once_without_invalid_ones():
    batches = Batches()
    model = Model(predictor, validator, batches)
    outcomes = scored(model, "1", BadRowError("x"), '"refused"', "2")
    assert outcomes == [[1], BadRowError, RefusedError, [2]]
    assert batches.seen == [[1, 2]]


@pytest.mark.parametrize("bad", ["bad", "object"])
def test_rows_that_fail_at_once_are_scored_one_by_one(bad):
    model = Model(predictor, validator, Batches())
    *given, failed, last = scored(model, "1", '"refused"', json.dumps(bad), "2")
    assert [*given, last] == [[1], RefusedError, [2]]
    assert failed in (PredictorError, UnserialisableError)


def test_rows_are_read_again_after_a_batch_that_modified_them():
    def spoil(xs):
        for x in xs:
            x.append("spoilt")
        raise ValueError

    assert scored(Model(predictor, None, spoil), "[1]", "[2]") == [[[1]], [[2]]]


def test_a_row_is_one_sample_even_if_it_is_a_list():
    batches = Batches()
    model = Model(predictor, None, batches, listwise=True)
    assert scored(model, "[1, 2]", "[3]") == [[[1, 2]], [[3]]]
    assert batches.seen == [[[1, 2], [3]]]
    assert scored(model, "[1, 2]") == [[[1, 2]]]


def test_a_single_remaining_row_is_scored_alone():
    batches = Batches()
    assert scored(Model(predictor, validator, batches), "1", '"refused"') == [[1], RefusedError]
    assert batches.seen == []


def test_rows_that_fail_at_once_are_scored_in_a_separate_turn():
    turns = []
    scorer = scorer_of(Model(predictor, validator, Batches()))
    score(scorer, "1", '"bad"', "2", run=lambda work: turns.append(1) or work())
    assert len(turns) == 2  # so each has the full time limit


def test_slow_rows_are_scored_in_turns(monkeypatch):
    monkeypatch.setattr("nachlass_service.scoring.scorer.BATCH_TURN_S", 0.0)
    turns = []
    scorer = scorer_of(Model(predictor), batch=False)
    scorer.start(lambda work: turns.append(1) or work())
    assert list(scorer.score(Rows("1", "2", "3"), scorer.stride())) == [[[1]], [[2]], [[3]]]
    assert len(turns) == 3


class Clock:
    """A clock that a predictor advances."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


def test_the_fixed_cost_of_a_call_is_not_paid_for_each_row(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("nachlass_service.scoring.scorer.time", clock)
    calls = []

    def slow_to_begin(xs):
        calls.append(len(xs))
        clock.now += 0.06 + 2e-5 * len(xs)
        return xs

    scorer = scorer_of(Model(predictor, None, slow_to_begin))
    scorer.start(lambda work: work())
    texts, stride = ["1"] * 500, scorer.stride()
    while texts:
        rows, texts = texts[: stride.rows], texts[stride.rows :]
        assert [*scorer.score(Rows(*rows), stride)] == [[1] * len(rows)]
    assert sum(calls) == 500
    assert len(calls) <= 4
    assert scorer.stride().rows > 16


def test_a_failing_row_makes_the_next_calls_small():
    scorer = scorer_of(Model(predictor, None, Batches()))
    scorer.start(lambda work: work())
    stride = Stride(60.0, 4000)
    list(scorer.score(Rows("1", '"bad"', "2"), stride))
    assert stride.rows == FIRST_ROWS


def test_rows_before_an_abandoned_call_are_answered():
    def give_up(work):
        work()
        raise TimeLimitError("too long")

    scorer = scorer_of(Model(predictor), batch=False)
    scorer.start(give_up)
    found = scorer.score(Rows("1", "2"), scorer.stride())
    assert next(found) == [[1], [2]]
    with pytest.raises(TimeLimitError):
        next(found)


def test_a_worker_that_shuts_down_scores_no_more_rows(monkeypatch):
    monkeypatch.setattr("nachlass_service.scoring.scorer.BATCH_DRAIN_S", 0.0)
    scorer = scorer_of(Model(predictor))
    scorer.start(lambda work: work())
    found = scorer.score(Rows("1"), scorer.stride())
    assert next(found) == [[1]]
    scorer.begin_shutdown()
    with pytest.raises(OverloadedError, match="shutting down: send the remaining rows"):
        next(scorer.score(Rows("1"), scorer.stride()))
