"""A bundle's predictions compared with those recorded by another bundle."""

import json
import os

import pytest

from nachlass_builder.foundation.process import Deadline
from nachlass_builder.proof.compare import compare_predictions
from nachlass_builder.proof.proof import service_environment
from support.served import python_of


@pytest.fixture
def compared(kmeans, environ, tmp_path):
    """Return a function that compares `examples/kmeans` with given entries."""

    def run(entries):
        recorded = tmp_path / "samples.jsonl"
        recorded.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
        return compare_predictions(
            kmeans,
            python_of(kmeans, environ),
            recorded,
            random_fields=(),
            environment=service_environment(os.environ, {}),
            deadline=Deadline(),
        )

    return run


def recorded_by(bundle):
    return [json.loads(line) for line in (bundle / "samples.jsonl").read_text().splitlines()]


def test_a_bundle_agrees_with_its_own_predictions(kmeans, compared):
    entries = recorded_by(kmeans)
    found = compared(entries)
    assert (found.count, found.identical) == (len(entries), len(entries))
    assert found.agree
    assert found.examples == ()


def test_identical_close_different_and_failed_samples_are_counted(kmeans, compared):
    entries = recorded_by(kmeans)[:4]
    wrong = 1 - entries[1]["prediction"]
    entries[1]["prediction"] = wrong
    entries[2]["prediction"] = float(entries[2]["prediction"])
    entries[3]["sample"] = "no sample"
    found = compared(entries)
    assert (found.count, found.identical, found.close, found.different, found.failed) == (
        4, 1, 1, 1, 1,
    )  # fmt: skip
    assert not found.agree
    different, failed = found.examples
    assert (different.index, different.old, different.new) == (1, wrong, 1 - wrong)
    assert (failed.index, failed.new) == (3, None)
    assert failed.error


def test_at_most_ten_examples_are_kept(kmeans, compared):
    found = compared([{**entry, "prediction": "other"} for entry in recorded_by(kmeans)[:12]])
    assert found.different == 12
    assert [example.index for example in found.examples] == list(range(10))
    assert found.largest is None


def test_a_comparison_without_samples_agrees(compared):
    assert compared([]).count == 0
    assert compared([]).agree
