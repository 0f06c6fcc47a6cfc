import random

import pytest

from nachlass_builder.bundle.manifest import Features
from nachlass_builder.proof.describe_features import (
    MAX_FEATURES,
    MAX_NAME_LENGTH,
    MIN_PER_LABEL,
    MIN_SAMPLES,
    describe_features,
)
from nachlass_service.metrics.inputs import OTHER, Inputs, intervals
from support.manifest import features_with

NUMBERS = [number / 10 for number in range(101)]


def named(inputs, sample):
    """Return the bin of each feature that a sample belongs to."""
    row = [0] * inputs.width
    for cell in inputs.bin_features(sample):
        row[cell] = 1
    return {
        feature: value
        for feature, bins in inputs.counts(row).items()
        for value, count in bins.items()
        if count
    }


def counted(features, samples):
    """Count each bin of each feature like a service."""
    inputs = Inputs(features)
    counts = {feature: dict.fromkeys(bins, 0) for feature, bins in inputs.bins.items()}
    for sample in samples:
        for feature, value in named(inputs, sample).items():
            counts[feature][value] += 1
    return counts


def test_rows_can_be_lists_objects_or_scalars():
    rows = [[number, "ab"[number % 2]] for number in range(60)]
    for samples, names in [
        (rows, ["1", "0"]),
        ([{"size": number, "kind": kind} for number, kind in rows], ["kind", "size"]),
        ([number for number, _kind in rows], [""]),
    ]:
        described = describe_features(samples)
        assert [*described.labels, *described.buckets] == names
        assert all(labels == ("a", "b") for labels in described.labels.values())
        assert all(sum(c.values()) == 60 for c in counted(described, samples).values())


def test_deciles_hold_equal_parts_of_the_samples():
    counts = counted(describe_features(NUMBERS), NUMBERS)[""]
    assert list(counts.values()) == [11, *[10] * 9, 0]
    assert list(counts)[-1] == OTHER


def test_a_frequent_value_has_its_own_bin():
    samples = [0.0] * 300 + [random.Random(1).random() + n for n in range(100)]
    counts = counted(describe_features(samples), samples)[""]
    assert 300 in counts.values()


@pytest.mark.parametrize(
    "samples",
    [
        [f"a text that is free, number {number}" for number in range(100)],
        [[[number]] for number in range(100)],
        [number / 7 for number in range(MIN_SAMPLES - 1)],
        ["ab"[number % 2] for number in range(MIN_SAMPLES - 1)],
        [["a", "b"][number % 2] * (MAX_NAME_LENGTH + 1) for number in range(100)],
        ["a\nb", "\ud800"] * 50,
        [
            {"x" * (MAX_NAME_LENGTH + 1): number % 2, "a\nb": 1, "\ud800": 2}
            for number in range(100)
        ],
        [OTHER] * 100,
        [],
    ],
)
def test_samples_without_a_distribution_have_no_features(samples):
    assert describe_features(samples) == Features(labels={}, buckets={})


def test_rare_values_are_not_named():
    samples = ["usual"] * 60 + ["Ada Lovelace"] * (MIN_PER_LABEL - 1) + ["rare"] * 5
    described = describe_features(samples)
    assert described.labels == {"": ("rare", "usual")}
    assert counted(described, samples) == {"": {"rare": 5, "usual": 60, OTHER: 4}}


def test_a_value_named_other_is_counted_in_that_bin():
    samples = [OTHER] * 40 + ["a"] * 30
    assert counted(describe_features(samples), samples) == {"": {"a": 30, OTHER: 40}}


def test_labels_are_numbered_if_samples_must_not_be_shown():
    described = features_with(labels={"name": ("Ada", "Bob")}, buckets={"size": (1.5,)})
    hidden = Inputs(described, named=False)
    assert named(hidden, {"name": "Bob", "size": 1}) == {"name": "#2", "size": "(-Inf, 1.5]"}
    baseline = {"name": {"Bob": 3, "Ada": 4, OTHER: 5}, "size": {"(1.5, +Inf)": 6}}
    assert hidden.shown(baseline) == {
        "name": {"#2": 3, "#1": 4, OTHER: 5},
        "size": {"(1.5, +Inf)": 6},
    }
    assert Inputs(described).shown(baseline) == baseline


def test_the_number_of_features_is_limited():
    described = describe_features([[float(n + i) for i in range(500)] for n in range(60)])
    assert list(described.buckets) == [str(number) for number in range(MAX_FEATURES)]


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ([1, "a"], ("1", "a")),
        ([1.0, "a"], ("1", "a")),
        ([True, "b"], (OTHER, OTHER)),
        ([2], (OTHER, OTHER)),
        ([[1], {"a": 1}], (OTHER, OTHER)),
        ({"0": 1, "1": "a", "2": 0}, ("1", "a")),
        ({}, (OTHER, OTHER)),
        ("a", (OTHER, OTHER)),
        (None, (OTHER, OTHER)),
        ([10**400, "a"], (OTHER, "a")),
    ],
)
def test_any_value_belongs_to_one_bin_of_each_feature(sample, expected):
    inputs = Inputs(features_with(labels={"0": ("1",), "1": ("a",)}))
    assert tuple(named(inputs, sample).values()) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-1, "(-Inf, 0.0]"),
        (0, "(-Inf, 0.0]"),
        (0.5, "(0.0, 1.5]"),
        (9, "(1.5, +Inf)"),
        (10**400, OTHER),
        ("9", OTHER),
        (True, OTHER),
        (None, OTHER),
    ],
)
def test_numbers_are_counted_in_their_interval(value, expected):
    inputs = Inputs(features_with(buckets={"": (0.0, 1.5)}))
    assert named(inputs, value) == {"": expected}
    assert intervals([0.0, 1.5]) == ["(-Inf, 0.0]", "(0.0, 1.5]", "(1.5, +Inf)"]
