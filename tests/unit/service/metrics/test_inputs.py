import math

import pytest

from nachlass_service.metrics.inputs import OTHER, Inputs, finite, intervals
from support.manifest import features_with

FEATURES = features_with(
    labels={"colour": ("red", "1"), "2": ("x",)}, buckets={"size": (0.0, 2.5), "0": (10.0,)}
)
BINS = {
    "colour": ["red", "1", OTHER],
    "2": ["x", OTHER],
    "size": ["(-Inf, 0.0]", "(0.0, 2.5]", "(2.5, +Inf)", OTHER],
    "0": ["(-Inf, 10.0]", "(10.0, +Inf)", OTHER],
}


def bins_of(inputs, sample):
    """Return the bin of each feature that a sample belongs to, by its name."""
    names = [(feature, name) for feature, bins in inputs.bins.items() for name in bins]
    return dict(names[cell] for cell in inputs.bin_features(sample))


def test_features_have_the_bins_of_the_manifest_and_other():
    inputs = Inputs(FEATURES)
    assert inputs.bins == BINS
    assert list(inputs.bins) == ["colour", "2", "size", "0"]
    assert inputs.width == 12


def test_nothing_is_counted_without_features():
    inputs = Inputs(features_with())
    assert (inputs.bins, inputs.width) == ({}, 0)
    assert inputs.bin_features([1]) == []
    assert inputs.counts([]) == {}


def test_hidden_labels_are_numbered():
    inputs = Inputs(FEATURES, named=False)
    assert inputs.bins == {**BINS, "colour": ["#1", "#2", OTHER], "2": ["#1", OTHER]}
    counts = {"colour": {"red": 3, "1": 2, OTHER: 1}, "size": {"(0.0, 2.5]": 4}}
    assert inputs.shown(counts) == {
        "colour": {"#1": 3, "#2": 2, OTHER: 1},
        "size": {"(0.0, 2.5]": 4},
    }
    assert Inputs(FEATURES).shown(counts) == counts


def test_only_numbers_are_ordered():
    inputs = Inputs(FEATURES)
    assert inputs.ordered("size") == ["(-Inf, 0.0]", "(0.0, 2.5]", "(2.5, +Inf)"]
    assert inputs.ordered("0") == ["(-Inf, 10.0]", "(10.0, +Inf)"]
    assert inputs.ordered("colour") == []


def test_cells_belong_to_one_row():
    inputs = Inputs(FEATURES)
    assert inputs.bin_features({"colour": "1", "2": "x", "size": 2.5, "0": 11}) == [1, 3, 6, 10]
    row = [0.0] * 12
    for cell in (1, 3, 6, 10, 6):
        row[cell] += 1
    assert inputs.counts(row) == {
        "colour": {"red": 0, "1": 1, OTHER: 0},
        "2": {"x": 1, OTHER: 0},
        "size": {"(-Inf, 0.0]": 0, "(0.0, 2.5]": 2, "(2.5, +Inf)": 0, OTHER: 0},
        "0": {"(-Inf, 10.0]": 0, "(10.0, +Inf)": 1, OTHER: 0},
    }


@pytest.mark.parametrize(
    ("value", "bin_of_it"),
    [
        ("red", "red"),
        ("1", "1"),
        (1, "1"),
        (1.0, "1"),
        (1.5, OTHER),
        (True, OTHER),
        (None, OTHER),
        ("", OTHER),
        ([], OTHER),
        ({"red": 1}, OTHER),
        ("Red", OTHER),
    ],
)
def test_a_label_is_a_string_or_json(value, bin_of_it):
    assert bins_of(Inputs(FEATURES), {"colour": value})["colour"] == bin_of_it


@pytest.mark.parametrize(("label", "value"), [("true", True), ("null", None), ("1.5", 1.5)])
def test_labels_can_be_values_other_than_strings(label, value):
    inputs = Inputs(features_with(labels={"": [label]}))
    assert bins_of(inputs, value) == {"": label}


@pytest.mark.parametrize("value", [[], {}, [1], {"a": 1}])
def test_lists_and_objects_are_not_labels(value):
    inputs = Inputs(features_with(labels={"a": ["[]", "{}", "[1]"]}))
    assert bins_of(inputs, {"a": value}) == {"a": OTHER}


@pytest.mark.parametrize(
    ("value", "bin_of_it"),
    [
        (-1e300, "(-Inf, 0.0]"),
        (0, "(-Inf, 0.0]"),
        (0.1, "(0.0, 2.5]"),
        (2.5, "(0.0, 2.5]"),
        (3, "(2.5, +Inf)"),
        (10**400, OTHER),
        (math.nan, OTHER),
        (math.inf, OTHER),
        (None, OTHER),
        ("1", OTHER),
        (True, OTHER),
        ([1], OTHER),
    ],
)
def test_a_number_belongs_to_the_bucket_up_to_its_bound(value, bin_of_it):
    assert bins_of(Inputs(FEATURES), {"size": value})["size"] == bin_of_it


def test_features_of_a_list_are_its_entries():
    inputs = Inputs(features_with(labels={"2": ["x"], "name": ["y"]}, buckets={"0": [10.0]}))
    below, above = "(-Inf, 10.0]", "(10.0, +Inf)"
    assert bins_of(inputs, [10, "y", "x"]) == {"0": below, "2": "x", "name": OTHER}
    assert bins_of(inputs, [11, "x"]) == {"0": above, "2": OTHER, "name": OTHER}
    assert bins_of(inputs, []) == {"0": OTHER, "2": OTHER, "name": OTHER}


def test_a_digit_of_another_script_is_not_an_index():
    inputs = Inputs(features_with(labels={"\u00b2": ["x"], "\u0661": ["x"]}))
    assert bins_of(inputs, ["x", "x", "x"]) == {"\u00b2": OTHER, "\u0661": OTHER}


def test_a_scalar_is_the_feature_without_a_name():
    inputs = Inputs(features_with(labels={"a": ["x"]}, buckets={"": [10.0]}))
    assert bins_of(inputs, 10) == {"a": OTHER, "": "(-Inf, 10.0]"}
    assert bins_of(inputs, "x") == {"a": OTHER, "": OTHER}
    assert bins_of(inputs, {"": 11, "a": "x"}) == {"a": "x", "": "(10.0, +Inf)"}
    assert bins_of(inputs, [10]) == {"a": OTHER, "": OTHER}


@pytest.mark.parametrize(
    ("bounds", "names"),
    [
        ([], ["(-Inf, +Inf)"]),
        ([0.1], ["(-Inf, 0.1]", "(0.1, +Inf)"]),
        ([0.1, 2.5], ["(-Inf, 0.1]", "(0.1, 2.5]", "(2.5, +Inf)"]),
    ],
)
def test_the_last_interval_is_open(bounds, names):
    assert intervals(bounds) == names


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1.5, 1.5),
        (2, 2.0),
        (-(2**70), -(2.0**70)),
        (10**400, None),
        (math.nan, None),
        (-math.inf, None),
        (True, None),
        (False, None),
        ("1", None),
        (None, None),
        (1j, None),
    ],
)
def test_only_finite_numbers_are_converted(value, number):
    assert finite(value) == number
    assert type(finite(value)) is type(number)


def test_a_subclass_of_float_is_a_number_if_it_is_finite():
    class Kind(float):
        pass

    assert finite(Kind(1.5)) == 1.5
    assert finite(Kind("inf")) is None
