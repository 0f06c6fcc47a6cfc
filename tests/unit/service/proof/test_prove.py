"""The predictions of a bundle's model are compared with the recorded ones."""

import colorsys
import json
import mmap
import os
import threading
from functools import partial

import cloudpickle
import pytest

from nachlass_service.base.errors import BundleError
from nachlass_service.proof import prove as proving
from nachlass_service.proof.prove import (
    MAX_SECRET_LENGTH,
    largest_private_size,
    prove,
    prove_without,
)
from nachlass_service.proof.score import score
from support.forked import in_child
from support.manifest import bundle_with


def double(sample):
    return sample * 2


@pytest.fixture
def bundle(tmp_path):
    """Return a function that creates a bundle of a predictor and recorded predictions."""

    def make(predictor, *recorded, batch=None, random=(), schema=True, labels=("1",)):
        (tmp_path / "src").mkdir(exist_ok=True)
        model = (None, predictor) if batch is None else (None, predictor, batch)
        (tmp_path / "model.pickle").write_bytes(cloudpickle.dumps(model))
        lines = [json.dumps({"sample": s, "prediction": p}) + "\n" for s, p in recorded]
        (tmp_path / "samples.jsonl").write_text("".join(lines))
        return bundle_with(
            tmp_path,
            entry={"cells": {}},
            samples={"random_fields": list(random)},
            prediction={"labels": {"": ["2", "4"]}, "ladder": [0.0]},
            input={
                "schema": schema,
                "features": {"labels": {"": list(labels)}, "buckets": {}},
            },
        )

    return make


@pytest.fixture
def in_process(tmp_path):
    """Return a function that calls another in a separate process, because models change theirs."""

    def ask(function, *arguments):
        file = tmp_path / "answer.json"
        in_child(lambda: file.write_text(json.dumps(function(*arguments))))
        return json.loads(file.read_text())

    return ask


def test_a_model_with_the_recorded_predictions_is_proven(bundle, in_process):
    answer = in_process(prove, bundle(double, (1, 2), (2, 4), (2, 4)))
    seconds, memory = answer.pop("seconds"), answer.pop("memory")
    assert answer == {
        "samples": 3,
        "batch": None,
        "batch_reason": None,
        "baseline": {
            "predictions": {"": {"2": 1, "4": 2}},
            "inputs": {"": {"1": 1, "other": 2}},
        },
        "forked": True,
        "forked_reason": None,
        "synthetic": None,
    }
    assert 0 < seconds < 10
    assert memory.keys() == {"loaded", "scoring"}
    assert 10e6 < memory["loaded"] <= memory["scoring"] < 10e9


def test_nothing_is_compared_without_samples(bundle, in_process):
    answer = in_process(prove, bundle(double, batch=list))
    assert (answer["samples"], answer["batch"], answer["batch_reason"]) == (0, None, None)
    assert answer["baseline"] == {"predictions": {}, "inputs": {}}


@pytest.mark.parametrize(
    ("predictor", "recorded", "message"),
    [
        (double, [(1, 2), (2, 5)], "the notebook predicted 5, the pickled model 4"),
        (
            lambda x: {"a": [0, x]},
            [(1, {"a": [0, 1]}), (2, {"a": [0, "b"]})],
            'the notebook predicted "b" in `a.1`, the pickled model 2',
        ),
        (
            lambda x: "y" * (MAX_SECRET_LENGTH - 2),
            [(1, "y" * (MAX_SECRET_LENGTH - 2)), (2, "z" * (MAX_SECRET_LENGTH - 1))],
            (
                f'the notebook predicted "{"z" * (MAX_SECRET_LENGTH - 2)}…, '
                f'the pickled model "{"y" * (MAX_SECRET_LENGTH - 2)}"'
            ),
        ),
    ],
)
def test_the_first_differing_sample_is_named(bundle, in_process, predictor, recorded, message):
    error = {"code": "differs", "message": message, "sample": 1}
    assert in_process(prove, bundle(predictor, *recorded)) == {"error": error}


def test_the_first_failing_sample_is_reported(bundle, in_process):
    def one_over(sample):
        return 1 / sample

    answer = in_process(prove, bundle(one_over, (1, 1.0), (0, 1), (2, 0.5)))
    assert answer.keys() == {"error"}
    error = answer["error"]
    assert (error["sample"], error["code"]) == (1, "raised")
    assert error["message"] == "ZeroDivisionError: division by zero"


def test_random_fields_are_not_compared(bundle, in_process):
    made = bundle(
        lambda x: {"a": x, "b": 9},
        (1, {"a": 1, "b": 3}),
        batch=lambda xs: [{"a": x, "b": 5} for x in xs],
        random=["b"],
    )
    answer = in_process(prove, made)
    assert (answer["samples"], answer["batch"]) == (1, True)


@pytest.mark.parametrize(
    ("batch", "agrees", "reason"),
    [
        (lambda xs: [2 * x for x in xs], True, None),
        (lambda xs: [2, 5], False, "sample 1: alone 4, in a batch 5"),
        (lambda xs: [[2], [4]], False, "sample 0: alone 2, in a batch [2]"),
        (lambda xs: [2], False, "batch_predictor returned 1 predictions for 2 samples"),
        (lambda xs: 1 / 0, False, "ZeroDivisionError: division by zero"),
    ],
)
def test_batches_are_compared_with_the_recorded_single_predictions(
    bundle, in_process, batch, agrees, reason
):
    answer = in_process(prove, bundle(double, (1, 2), (2, 4), batch=batch))
    assert (answer["batch"], answer["batch_reason"]) == (agrees, reason)
    assert answer["forked"]


def test_the_field_in_which_a_batch_differs_is_reported(bundle, in_process):
    made = bundle(lambda x: {"a": x}, (1, {"a": 1}), batch=lambda xs: [{"a": x + 1} for x in xs])
    assert in_process(prove, made)["batch_reason"] == "sample 0: alone 1 in `a`, in a batch 2"


def test_a_batch_gets_unmodified_samples(bundle, in_process):
    made = bundle(lambda xs: xs.pop(), ([1, 2], 2), batch=lambda rows: [len(row) for row in rows])
    assert in_process(prove, made)["batch"] is True


def test_predictions_are_made_in_a_thread_as_in_the_service(bundle, in_process):
    made = bundle(lambda x: threading.current_thread() is threading.main_thread(), (1, False))
    assert in_process(prove, made)["samples"] == 1
    assert in_process(score, made, [{"sample": 1, "prediction": 0}], frozenset())["answers"] == [
        {"prediction": False, "agreement": "different", "difference": None}
    ]


class LoadedHere:
    """Predicts whether it is still in the process that loaded it."""

    def __setstate__(self, state):
        self.pid = os.getpid()

    def __getstate__(self):
        return {"any": 1}

    def __call__(self, sample):
        return os.getpid() == self.pid


def test_a_model_that_fails_after_a_fork_is_reported(bundle, in_process):
    answer = in_process(prove, bundle(LoadedHere(), (1, True)))
    assert (answer["samples"], answer["forked"]) == (1, False)
    assert answer["forked_reason"] == "a forked worker's predictions differ"


def test_a_sample_is_made_up_with_the_counts_of_the_baseline(bundle, in_process):
    recorded = [(sample, 2 * sample) for sample in (1, 1, 2)]
    synthesize = partial(prove, synthesize=True)
    made = bundle(double, *recorded, schema={"type": "integer"}, labels=["2", "1"])
    assert in_process(synthesize, made)["synthetic"] == 1


def test_none_is_made_up_without_samples_or_for_a_model_that_a_fork_breaks(bundle, in_process):
    synthesize = partial(prove, synthesize=True)
    schema = {"type": "integer"}
    assert in_process(synthesize, bundle(double, schema=schema))["synthetic"] is None
    broken = bundle(LoadedHere(), (1, True), schema=schema)
    assert in_process(synthesize, broken)["synthetic"] is None


def test_batches_of_a_forked_process_are_compared_if_they_are_used(bundle, in_process):
    here = LoadedHere()
    made = bundle(lambda x: True, (1, True), batch=lambda xs: [here(x) for x in xs])
    assert in_process(prove, made)["forked_reason"] == "a forked worker's predictions differ"
    made = bundle(lambda x: True, (1, True), batch=lambda xs: [not here(x) for x in xs])
    answer = in_process(prove, made)
    assert (answer["batch"], answer["forked"]) == (False, True)


def test_an_unloadable_model_is_not_proven(bundle):
    made = bundle(double, (1, 2))
    (made.path / "model.pickle").write_bytes(b"no pickle")

    def fails():
        for function, arguments in ((prove, ()), (score, ([], frozenset()))):
            with pytest.raises(BundleError):
                function(made, *arguments)

    in_child(fails)


def test_memory_is_measured_in_bytes():
    def measure():
        before = largest_private_size()
        assert 5e6 < before < 10e9
        held = os.urandom(1 << 20) * 200
        assert 150e6 < largest_private_size() - before < 250e6
        del held
        assert largest_private_size() - before > 150e6

    in_child(measure)


def test_memory_mapped_files_do_not_count_as_memory_of_the_model(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(bytes(200 << 20))

    def measure():
        before = largest_private_size()
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as held:
            assert not any(held[place] for place in range(0, len(held), 4096))
            assert largest_private_size() - before < 20e6

    in_child(measure)


# With distributions hidden.


def hue(sample):
    import colorsys

    return colorsys.rgb_to_hsv(0, sample, 0)[0] * 3


def test_blocked_imports_are_reported(bundle, in_process):
    hidden = {"colours": ["colorsys"], "chunks": ["chunk"]}
    answer = in_process(prove_without, bundle(hue, (1, 1.0)), hidden)
    assert answer["error"]["message"] == "ModuleNotFoundError: No module named 'colorsys'"
    assert (answer["error"]["missing"], answer["error"]["sample"]) == (["colorsys"], 0)
    assert answer["blocked_imports"] == ["colours"]
    assert "colorsys" not in answer["imported"]
    assert answer["imported"] == sorted(answer["imported"])
    assert "nachlass_service.proof.prove" in answer["imported"]


def test_a_proof_with_hidden_modules_omits_forks(bundle, in_process):
    answer = in_process(prove_without, bundle(hue, (1, 1.0)), {"chunks": ["chunk"]})
    assert answer.keys() == {
        *("samples", "seconds", "memory", "batch", "batch_reason", "baseline"),
        *("blocked_imports", "imported"),
    }
    assert (answer["samples"], answer["blocked_imports"]) == (1, [])
    assert "colorsys" in answer["imported"]


def test_a_model_that_needs_a_hidden_module_to_load_fails(bundle, in_process):
    made = bundle(colorsys.rgb_to_hsv, (1, 1))
    answer = in_process(prove_without, made, {"colours": ["colorsys"]})
    assert answer["error"]["missing"] == ["colorsys"]
    assert "sample" not in answer["error"]
    assert answer["blocked_imports"] == ["colours"]


def test_a_slow_model_is_tried_with_fewer_samples(bundle, in_process, monkeypatch):
    made = bundle(double, (1, 2), (2, 4), (3, 7), batch=lambda xs: [2 * x for x in xs])
    assert in_process(prove_without, made, {})["error"]["sample"] == 2
    monkeypatch.setattr(proving, "TRIAL_S", 0)
    answer = in_process(prove_without, made, {})
    assert (answer["samples"], answer["batch"]) == (1, True)
    assert in_process(prove, made)["error"]["sample"] == 2


# Samples of another bundle.


def test_samples_of_another_bundle_are_scored_and_compared(bundle, in_process):
    def predictor(sample):
        return {"a": 4 / sample, "b": "x"}

    recorded = [
        {"sample": 1, "prediction": {"a": 4.0, "b": "x"}},
        {"sample": 0, "prediction": {"a": 4.0, "b": "x"}},
        {"sample": 2, "prediction": {"a": 2, "b": "x"}},
        {"sample": 4, "prediction": {"a": 2.0, "b": "x"}},
        {"sample": 1, "prediction": {"a": 4.0, "b": "y"}},
    ]
    answers = in_process(score, bundle(predictor), recorded, frozenset())["answers"]
    error = answers.pop(1)["error"]
    assert (error["code"], error["message"]) == (
        "raised",
        "ZeroDivisionError: division by zero",
    )
    one = {"a": 4.0, "b": "x"}
    assert answers == [
        {"prediction": one, "agreement": "identical", "difference": 0.0},
        {"prediction": {"a": 2.0, "b": "x"}, "agreement": "close", "difference": 0.0},
        {"prediction": {"a": 1.0, "b": "x"}, "agreement": "different", "difference": 0.5},
        {"prediction": one, "agreement": "different", "difference": 0.0},
    ]
    answers = in_process(score, bundle(predictor), recorded[3:], frozenset({"a", "b"}))["answers"]
    assert [answer["agreement"] for answer in answers] == ["close", "close"]
    assert [answer["difference"] for answer in answers] == [None, None]
