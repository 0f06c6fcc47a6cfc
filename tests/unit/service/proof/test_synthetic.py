"""The example that a build makes up, for models that accept, reject, fail, hang or crash."""

import os
import signal
import time

import pytest

from nachlass_service.bundle.model import Model
from nachlass_service.proof import synthetic
from nachlass_service.proof.synthetic import SyntheticSearch
from support.manifest import bundle_with

COUNTS = {"0": {"(0.25, 0.75]": 100}, "1": {}}


@pytest.fixture
def found(tmp_path):
    """Return the example for a predictor and a validator of the example manifest's model."""

    def find(predictor, validator=None, counts=COUNTS, **sections):
        search = SyntheticSearch(bundle_with(tmp_path, **sections), Model(predictor, validator))
        try:
            return search.find(counts, 0.001)
        finally:
            search.end()

    return find


def raising(x):
    raise ValueError(x)


def test_the_first_accepted_candidate_is_the_example(found):
    assert found(sum) == [0.5, 0.5]
    assert found(sum, lambda x: x[0] != 0.5) is None
    features = {"labels": {}, "buckets": {}}
    assert found(sum, lambda x: x[0] > 10, input={"features": features})[0] == 100


def test_a_predictor_that_changes_its_samples_does_not_change_the_example(found):
    assert found(lambda x: x.clear()) == [0.5, 0.5]


def test_a_prediction_without_a_json_form_is_not_accepted(found):
    assert found(lambda x: object()) is None


def test_there_is_no_example_that_a_model_rejects_or_fails_on(found):
    assert found(lambda x: 1, lambda x: False) is None
    assert found(raising) is None


@pytest.mark.parametrize(
    "end",
    [lambda x: os._exit(0), lambda x: os.kill(os.getpid(), signal.SIGKILL)],
    ids=["exits", "is killed"],
)
def test_a_model_that_ends_its_process_has_no_example(found, end):
    assert found(end) is None


def test_a_model_that_hangs_has_no_example(found, monkeypatch):
    monkeypatch.setattr(synthetic, "MAX_SEARCH_S", 0.1)
    started = time.monotonic()
    assert found(lambda x: time.sleep(60)) is None
    assert time.monotonic() - started < 5


def test_tries_end_in_time_but_a_slow_first_one_counts(found, monkeypatch):
    monkeypatch.setattr(synthetic, "MAX_SEARCH_S", 0.2)
    assert found(lambda x: time.sleep(0.3)) == [0.5, 0.5]
    monkeypatch.setattr(synthetic, "MAX_SEARCH_S", 0.0)
    monkeypatch.setattr(synthetic, "MAX_CALL_RATIO", 1000)
    features = {"labels": {}, "buckets": {}}
    assert found(sum, lambda x: x != [1, 1], input={"features": features}) is None


def test_an_unknown_or_huge_input_has_no_example(found):
    many = {"type": "array", "items": {"type": "number"}, "minItems": 10**6, "maxItems": 10**6}
    assert found(len, input={"schema": many}) is None
    assert found(len, input={"schema": True}) is None
