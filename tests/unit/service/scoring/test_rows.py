"""The common code path for scoring samples."""

from copy import deepcopy

import pytest

from nachlass_service.base.errors import (
    BadRowError,
    PredictorError,
    RefusedError,
    SampleSchemaError,
    ServiceError,
)
from nachlass_service.bundle.model import Model
from nachlass_service.metrics.inputs import Inputs
from nachlass_service.metrics.metrics import Metrics
from nachlass_service.scoring.rows import PredictionList, RowScorer
from nachlass_service.scoring.sample_schema import SampleSchema
from support.manifest import features_with, prediction_with

ANYTHING = SampleSchema(True)


class Rows:
    """Rows that count their reads."""

    def __init__(self, *rows):
        self.rows, self.read = rows, 0

    def __len__(self):
        return len(self.rows)

    def samples(self):
        self.read += 1
        return list(self.rows)


def predictor(x):
    if x == "bad":
        raise ValueError(x)
    return x


def together(xs):
    return [predictor(x) for x in xs]


def scorer_of(
    validator=None,
    batch_predictor=together,
    *,
    caught=ServiceError,
    listwise=False,
    schema=ANYTHING,
):
    features = features_with(buckets={"": (1.5,)})
    metrics = Metrics(prediction_with(), prefix="n", info={}, features=features)
    model = Model(predictor, validator, batch_predictor, listwise)
    return RowScorer(model, metrics, schema, caught)


def score_one(scorer, sample):
    return scorer.score_one(deepcopy(sample), lambda: sample)


def steps(scorer, *rows, at_once=True):
    """Return the outcomes step by step; errors as their types."""
    return [
        [type(one) if isinstance(one, BaseException) else one for one in outcomes]
        for outcomes, _inputs in scorer.score(Rows(*rows), at_once=at_once)
    ]


def test_each_outcome_has_the_bins_of_its_input():
    scorer = scorer_of(lambda x: x != 3)
    assert list(scorer.score(Rows(1, 2), at_once=True)) == [([1, 2], [[[0]], [[1]]])]
    assert list(scorer.score(Rows(1, 2), at_once=False)) == [([1], [[[0]]]), ([2], [[[1]]])]
    for at_once in (True, False):
        inputs = [bins for _, step in scorer.score(Rows(1, 3, 2), at_once=at_once) for bins in step]
        assert inputs == [[[0]], (), [[1]]]
    assert score_one(scorer, 1) == (1, [[0]])


def test_a_list_of_samples_has_the_bins_of_each():
    scorer = scorer_of(listwise=True)
    assert score_one(scorer, [1, 2]) == ([1, 2], [[0], [1]])
    assert score_one(scorer, []) == ([], [])
    assert type(score_one(scorer, [])[0]) is PredictionList


def test_rows_that_fail_as_a_batch_follow_one_by_one_after_an_empty_step():
    assert steps(scorer_of(), 1, "bad", 2) == [[], [1], [PredictorError], [2]]
    assert steps(scorer_of(), 1) == [[], [1]]
    assert steps(scorer_of(listwise=True), 1, [2], 3) == [[], [1], [[2]], [3]]
    assert steps(scorer_of(), 1, "bad", at_once=False) == [[1], [PredictorError]]


def test_null_is_a_prediction():
    assert steps(scorer_of(), None, None) == [[None, None]]


def test_rows_are_read_again_only_to_score_them_one_by_one():
    for rows, reads in ((Rows(1, 2), 1), (Rows(1, "bad"), 2)):
        list(scorer_of().score(rows, at_once=True))
        assert rows.read == reads


def test_a_rejected_row_is_not_validated_again():
    validated = []

    def validator(x):
        validated.append(x)
        return x != 2

    assert steps(scorer_of(validator), 2, "bad", 3) == [[], [RefusedError], [PredictorError], [3]]
    assert validated.count(2) == 1


@pytest.mark.parametrize("at_once", [True, False])
def test_each_error_takes_the_place_of_its_row(at_once):
    found = steps(scorer_of(), 1, BadRowError("x"), 2, at_once=at_once)
    assert [one for step in found for one in step] == [1, BadRowError, 2]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_defect_is_raised_unless_it_is_in_the_caught_class(at_once, monkeypatch):
    def bin_features(_self, sample):
        return [1 // sample]

    monkeypatch.setattr(Inputs, "bin_features", bin_features)
    with pytest.raises(ZeroDivisionError):
        steps(scorer_of(), 1, 0, at_once=at_once)
    found = steps(scorer_of(caught=BaseException), 1, 0, at_once=at_once)
    assert [one for step in found for one in step] == [1, ZeroDivisionError]


@pytest.mark.parametrize("count", [1, 3])
def test_the_number_of_predictions_must_match_the_number_of_samples(monkeypatch, count):
    scorer = scorer_of()
    monkeypatch.setattr(Model, "predict_batch", lambda model, samples: [0] * count)
    with pytest.raises(ValueError, match="zip"):
        list(scorer.score(Rows(1, 2), at_once=True))


@pytest.mark.parametrize("at_once", [True, False])
def test_a_failing_row_that_differs_from_the_schema_is_explained_by_it(at_once):
    schema = SampleSchema({"type": "number"})
    found = steps(scorer_of(schema=schema), 1, "bad", "good", at_once=at_once)
    assert [one for step in found for one in step] == [1, SampleSchemaError, "good"]
    refusing = scorer_of(lambda x: x not in (3, "odd"), schema=schema)
    found = steps(refusing, 1, 3, "odd", at_once=at_once)
    assert [one for step in found for one in step] == [1, RefusedError, SampleSchemaError]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_strict_schema_is_checked_before_the_model(at_once):
    schema = SampleSchema({"type": "number"}, is_strict=True)
    found = steps(scorer_of(schema=schema), 1, "good", at_once=at_once)
    assert [one for step in found for one in step] == [1, SampleSchemaError]


def test_a_sample_is_compared_as_it_was_sent():
    def taking_apart(x):
        raise ValueError(x.pop("a"))

    schema = SampleSchema({"type": "object", "properties": {"a": {}}, "required": ["a"]})
    model = Model(taking_apart)
    scorer = RowScorer(model, Metrics(prediction_with(), prefix="n", info={}), schema, ServiceError)
    with pytest.raises(PredictorError):
        score_one(scorer, {"a": 1})
    with pytest.raises(SampleSchemaError, match="lacks 1 of 1 fields: `a`"):
        score_one(scorer, {"b": 1})


@pytest.mark.parametrize("at_once", [True, False])
def test_rows_are_read_again_once_to_explain_failures(at_once):
    def taking_apart(x):
        raise ValueError(x.pop("a"))

    schema = SampleSchema({"type": "object", "properties": {"a": {}}, "required": ["a"]})
    metrics = Metrics(prediction_with(), prefix="n", info={})
    scorer = RowScorer(Model(taking_apart), metrics, schema, ServiceError)
    reads = []

    class Sent(Rows):
        def samples(self):
            reads.append(1)
            return [{"a": 1} for _ in range(5)]

    found = [one for step, _ in scorer.score(Sent(*range(5)), at_once=at_once) for one in step]
    assert {type(one) for one in found} == {PredictorError}
    assert len(reads) == 2 + at_once
