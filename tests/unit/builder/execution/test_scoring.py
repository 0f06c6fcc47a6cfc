"""Reading and scoring samples in the kernel's code, without a kernel."""

import json
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from nachlass_builder.execution.kernel_process import IN_KERNEL
from nachlass_builder.execution.outcome import ScoredSamples
from nachlass_builder.execution.raised import Frame
from nachlass_service.bundle.model import Model


@pytest.fixture
def kernel(monkeypatch):
    """Return the kernel's functions, with a notebook whose variables the test sets."""
    monkeypatch.syspath_prepend(str(IN_KERNEL))
    from nachlass_kernel import samples, scoring
    from nachlass_kernel.failure import CaptureFailure

    class Kernel:
        Failure = CaptureFailure
        Samples = samples.Samples
        spread = staticmethod(scoring.spread)

        @staticmethod
        def read(value, limit=2000):
            monkeypatch.setattr(sys.modules["__main__"], "samples", value, raising=False)
            return samples.read_samples("samples", limit)

        @staticmethod
        def score(predictor, entries, path, budget_s=30.0, **functions):
            model = Model(predictor, **functions)
            numbers = list(range(len(entries)))
            given = samples.Samples(entries, numbers, len(entries))
            return scoring.score(model, given, path, budget_s)

    return Kernel


@pytest.fixture
def path(tmp_path):
    return tmp_path / "samples.jsonl"


def recorded(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("value", "entries", "index"),
    [
        ([1, "a", None], [1, "a", None], None),
        ((np.float32(0.5), {1: 2}), [0.5, {"1": 2}], None),
        (np.eye(2), [[1.0, 0.0], [0.0, 1.0]], None),
        (pd.Series([1, 2], index=[7, 7]), [1, 2], None),
        (pd.DataFrame({"a": [1]}, index=[5]), [{"a": 1}], None),
        (pd.DataFrame({"a": [1]}, index=["x"]), [{"a": 1}], "Index"),
        (pd.DataFrame({"a": [1]}, index=pd.Index([5], name="id")), [{"a": 1}], "id"),
        (pd.Series([1], index=pd.to_datetime(["2026-01-31"])), [1], "DatetimeIndex"),
    ],
)
def test_samples_are_converted_to_their_json_form(kernel, value, entries, index):
    read = kernel.read(value)
    assert (read.entries, read.total, read.absent, read.index) == (
        entries,
        len(entries),
        None,
        index,
    )


@pytest.mark.parametrize(("value", "why"), [([], "is empty"), (None, "is None")])
def test_empty_samples_count_as_absent(kernel, value, why):
    assert kernel.read(value).absent == f"`samples` {why}"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (500, "`samples` is an int, not a list of samples"),
        ("text", "`samples` is a str, not a list of samples"),
        ({"a": [1]}, "`samples` is a dict, not a list of samples"),
        ((x for x in [1]), "`samples` is a generator, not a list of samples"),
        ([1, object()], "entry 1 of `samples` is not a valid sample: an object has no JSON form"),
        ([{1: 2, "1": 3}], "entry 0 of `samples` is not a valid sample: the keys 1 and '1'"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "the column 'a' occurs twice"),
    ],
)
def test_invalid_samples_are_rejected(kernel, value, message):
    with pytest.raises(kernel.Failure) as caught:
        kernel.read(value)
    assert message in str(caught.value)


def test_many_samples_are_thinned_out_evenly(kernel):
    read = kernel.read(list(range(5000)), limit=4)
    assert read.entries == read.numbers == [0, 1250, 2500, 3750]
    assert read.total == 5000
    with pytest.raises(kernel.Failure, match="entry 2500 of"):
        kernel.read([0] * 2500 + [object()] + [0] * 2499, limit=4)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 64, 200, 2000])
def test_every_prefix_of_the_order_is_evenly_spread(kernel, count):
    order = kernel.spread(count)
    assert sorted(order) == list(range(count))
    for length in (8, 60):
        begun = sorted(order[:length])
        gaps = [after - before for before, after in pairwise(begun)]
        assert not gaps or max(gaps) <= max(1, 4 * count / length)


def test_an_interrupted_scoring_covers_the_whole_range(kernel, path):
    """Score sorted samples with a budget for about a tenth of them."""

    def slow(x):
        time.sleep(0.01)
        return x

    outcome = kernel.score(slow, list(range(400)), path, budget_s=0.4)
    used = [entry["sample"] for entry in recorded(path)]
    assert 2 < len(used) == outcome["scored"] < 300
    assert 0.3 < sum(number % 2 for number in used) / len(used) < 0.7
    assert used == sorted(used)
    assert used[0] < 100 < used[-1]
    assert abs(sum(used) / len(used) - 200) < 80


def test_a_few_failing_samples_are_left_out_and_the_first_is_reported(kernel, path):
    outcome = kernel.score(lambda x: 1 / x, [2, 4, 0, 5, 0, 8], path)
    assert (outcome["numbers"], outcome["scored"]) == ([0, 1, 3, 5], 6)
    assert [entry["sample"] for entry in recorded(path)] == [2, 4, 5, 8]
    [failure] = outcome["failures"]
    assert (failure["count"], failure["first"]["number"]) == (2, 2)
    assert failure["first"]["raised"]["ename"] == "ZeroDivisionError"


def test_exceptions_may_have_arbitrary_arguments(kernel, path):
    def predictor(x):
        if x == 0:
            raise SyntaxError("bad expression", (Path("<rule>"), "12", 1, b"x +"))
        return x

    outcome = kernel.score(predictor, [0, 1, 2], path)
    first = msgspec.convert(json.loads(json.dumps(outcome)), ScoredSamples).failures[0].first
    assert first.raised.frames[-1] == Frame("<rule>", None, "", "b'x +'", None)


@pytest.mark.parametrize(
    ("samples", "failed", "scored"),
    [
        ([0], 1, 1),
        ([0, 1, 0], 2, 3),
        ([0] * 10 + [1] * 90, 10, 100),
        ([0] * 200, 20, 20),
        ([1] + [0] * 11 + [1] * 3, 11, 15),
    ],
)
def test_a_model_that_fails_for_most_or_all_of_the_first_samples_is_rejected(
    kernel, path, samples, failed, scored
):
    with pytest.raises(kernel.Failure) as caught:
        kernel.score(lambda x: 1 / x, samples, path)
    facts = caught.value.facts
    assert sum(failure["count"] for failure in facts["failures"]) == failed
    assert (facts["scored"], facts["given"]) == (scored, len(samples))
    assert not path.exists()


@pytest.mark.parametrize(
    "samples",
    [[0, 1], [1] + [0] * 9 + [1] * 10, [0, 1] * 10, [number % 64 for number in range(1000)]],
)
def test_a_model_that_fails_for_at_most_half_of_the_samples_is_accepted(kernel, path, samples):
    [failure] = kernel.score(lambda x: 1 / x, samples, path)["failures"]
    assert failure["count"] == samples.count(0)


def test_each_scoring_counts_its_own_failures(kernel, path):
    """Let ten samples fail in the first scoring, and the first one scored in the second."""
    calls = Counter()

    def predictor(x):
        calls[x] += 1
        return 1 / (calls[x] - 2 if x == 0 else x % 10)

    outcome = kernel.score(predictor, list(range(100)), path)
    assert sum(failure["count"] for failure in outcome["failures"]) == 10
    assert len(outcome["numbers"]) == 90


def test_rejections_and_failures_are_distinguished(kernel, path):
    outcome = kernel.score(
        lambda x: 1 / x, [0, 0, 1, 2, 3, -1, 4, 5], path, validator=lambda x: x >= 0
    )
    counts = {failure["first"]["code"]: failure["count"] for failure in outcome["failures"]}
    assert counts == {"raised": 2, "refused": 1}


def test_every_kind_of_failure_counts(kernel, path):
    def predictor(x):
        match x:
            case 0:
                raise SystemExit
            case 1:
                return 1j
            case 2:
                return {1: 1, "1": 1}
        return x

    outcome = kernel.score(predictor, list(range(9)), path, validator=lambda x: x != 3)
    assert sum(failure["count"] for failure in outcome["failures"]) == 4
    assert outcome["numbers"] == [4, 5, 6, 7, 8]


def test_a_model_that_works_only_once_is_rejected(kernel, path):
    answers = iter([1, 2, 3])
    with pytest.raises(kernel.Failure):
        kernel.score(lambda _: next(answers), [1, 2, 3], path)


def test_a_random_field_is_named_and_the_others_stay_exact(kernel, path):
    calls = iter(range(10**6))
    outcome = kernel.score(lambda x: {"mean": x, "draw": next(calls)}, [1, 2, 3], path)
    assert outcome["random_fields"] == ["draw"]


def test_without_samples_nothing_is_written(kernel, path):
    outcome = kernel.score(lambda x: x, [], path)
    assert (outcome["numbers"], outcome["failures"], outcome["random_fields"]) == ([], [], [])
    assert not path.exists()
