"""Made-up samples meet the input schema and hold only what the manifest publishes."""

import json
from itertools import islice

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nachlass_builder.proof.describe_predictions import describe_input
from nachlass_service.proof.candidates import (
    MAX_VALUES,
    SIMPLE,
    TooLargeCandidateError,
    candidates,
    number_between,
)
from support.manifest import features_with

NONE = features_with()
PAIR = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}


def first(schema, features=NONE, counts=None, number=1):
    return list(islice(candidates(schema, features, counts or {}), number))


def objects(**properties):
    return {"type": "object", "properties": properties, "required": [*properties]}


def test_the_first_candidate_is_the_most_typical():
    features = features_with(
        buckets={"age": (20.0, 30.0, 40.0, 50.0), "0": (0.25, 0.75)},
        labels={"city": ("Bern", "Chur"), "rooms": ("2", "3"), "new": ("false", "true")},
    )
    counts = {
        "age": {"(20.0, 30.0]": 5, "(30.0, 40.0]": 5, "(40.0, 50.0]": 5},
        "city": {"Bern": 5, "Chur": 9},
        "rooms": {"2": 9, "3": 5},
        "new": {"false": 5, "true": 6},
    }
    schema = objects(
        age={"type": "integer"},
        city={"type": "string"},
        rooms={"type": ["integer", "null"]},
        new={"type": "boolean"},
        note={"type": "string"},
    )
    [found] = first(schema, features, counts)
    assert found == {"age": 35, "city": "Chur", "rooms": 2, "new": True, "note": "text"}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (PAIR, [1, 1]),
        ({"type": "string"}, "text"),
        ({"type": ["null", "string"]}, "text"),
        ({"type": "null"}, None),
        ({"type": "array"}, [None]),
        ({"type": "array", "items": {"type": "boolean"}}, [False]),
        ({"anyOf": [{"type": "null"}, objects(a={"type": "number"})]}, {"a": 1}),
        ({"anyOf": [{"type": "string"}, PAIR]}, "text"),
        (objects(), {}),
        (objects(a={}, b=True), {"a": None, "b": None}),
    ],
)
def test_without_features_each_value_is_the_simplest_of_its_type(schema, expected):
    assert first(schema) == [expected]


def test_the_same_candidates_are_made_every_time():
    once, again = (
        first(PAIR, features_with(buckets={"0": (1.0, 2.0, 3.0)}), None, 50) for _ in "12"
    )
    assert once == again
    assert len({json.dumps(found) for found in once}) > 5


def test_numbers_are_within_bins_that_hold_samples():
    counts = {"": {"(0.0, 10.0]": 3, "(10.0, 20.0]": 0, "(20.0, 30.0]": 4, "(30.0, +Inf)": 9}}
    features = features_with(buckets={"": (0.0, 10.0, 20.0, 30.0)})
    assert {*first({"type": "number"}, features, counts, 50)} == {5.0, 25.0}


def test_a_feature_without_bins_between_bounds_has_its_bounds():
    features = features_with(buckets={"0": (0.25,), "1": (3.0,)})
    assert first({**PAIR, "items": {"type": "integer"}}, features) == [[1, 3]]
    assert first(PAIR, features) == [[0.25, 3.0]]


def test_optional_fields_and_alternatives_vary():
    schema = {"anyOf": [{"type": "object", "properties": {"a": {"type": "null"}}}, PAIR]}
    found = {json.dumps(one)[:4] for one in first(schema, number=50)}
    assert {'{"a"', "{}"} < found
    assert len(found) > 2


def test_labels_of_another_type_are_not_used():
    features = features_with(labels={"": ("red", "1.5", "2")})
    assert {*first({"type": "integer"}, features, number=50)} == {2}
    assert {*first({"type": "boolean"}, features, number=50)} == {*SIMPLE["boolean"]}


@pytest.mark.parametrize("length", [MAX_VALUES, 10**9])
def test_no_large_candidate_is_made(length):
    with pytest.raises(TooLargeCandidateError):
        first({**PAIR, "minItems": length, "maxItems": length})


@pytest.mark.parametrize(
    ("low", "high", "whole", "expected"),
    [
        (0.0983, 0.1417, False, 0.1),
        (1234.5, 1234.75, False, 1234.6),
        (0.1, 0.30000000000000004, False, 0.2),
        (20.0, 31.0, True, 26),
        (20.5, 21.0, True, 21),
        (20.5, 20.9, True, None),
        (-1e300, 1e300, False, 0.0),
    ],
)
def test_a_number_between_bounds_has_few_digits(low, high, whole, expected):
    assert number_between(low, high, whole=whole) == expected


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300), st.booleans())
def test_a_number_is_between_its_bounds(one, other, whole):
    low, high = sorted((one, other))
    found = number_between(low, high, whole=whole)
    if found is None:
        assert whole
    elif low < high:
        assert low < found <= high


plain = st.none() | st.booleans() | st.integers(-99, 99) | st.floats(-9, 9) | st.text(max_size=3)
values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@given(st.lists(values, min_size=1, max_size=4))
def test_candidates_meet_the_schema_that_the_build_infers(samples):
    schema = describe_input(samples)
    for candidate in first(schema, number=10):
        jsonschema.validate(candidate, schema)
