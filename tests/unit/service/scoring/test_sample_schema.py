"""Differences between a sample and those of the build, described for the client."""

from itertools import repeat

import pytest

from nachlass_builder.proof.describe_predictions import describe_input
from nachlass_service.base.errors import (
    PredictorError,
    RefusedError,
    SampleSchemaError,
    TimeLimitError,
)
from nachlass_service.scoring.sample_schema import MAX_COMPARED, SampleSchema, difference

HOUSES = [
    {"rooms": 3, "area": 80.5, "town": "Ulm"},
    {"rooms": 4, "area": 120.0, "town": "Bonn", "garden": True},
]
FLOWERS = [[5.1, 3.5], [4.9, 3.0]]
WIDE = [{f"f{number}": number for number in range(33)}]
MANY = (
    "this is a list of samples: send a single sample, or many as application/x-ndjson, one per line"
)
SEPARATOR = (
    "the sample lacks 3 of 4 fields: `area`, `rooms`, `town`; it has `rooms;area;town`, "
    "which no sample of the build has: if the columns are separated by ';', send commas instead"
)
STRINGS = (
    "`/f0` is a string, not a number; `/f1` is a string, not a number; "
    "`/f2` is a string, not a number; and more"
)
BELOW = "`/at` lacks 1 of 1 fields: `x/y`; `/~0` is a number, not null or a string"
NESTED = [{"at": {"x/y": [1, 2]}, "~": None}, {"at": {"x/y": [3]}, "~": "text"}]


def difference_of(samples, sample):
    return difference(describe_input(samples), sample, iter(range(MAX_COMPARED)))


@pytest.mark.parametrize(
    ("samples", "sample", "message"),
    [
        (HOUSES, {"rooms": 5, "area": 60.5, "town": "Bad \ud800"}, None),
        (HOUSES, {"rooms": 5, "area": 60, "town": "Ulm", "more": [1]}, None),
        (HOUSES, {"rooms": 5.0, "area": 60, "town": "Ulm"}, None),
        (
            HOUSES,
            {"Rooms": 5, "area": 60.5, "town": "Ulm"},
            (
                "the sample lacks 1 of 4 fields: `rooms`; "
                "it has `Rooms`, which no sample of the build has"
            ),
        ),
        (
            HOUSES,
            {"rooms": "5", "area": "60.5", "town": "Ulm"},
            "`/rooms` is a string, not a number; `/area` is a string, not a number",
        ),
        (HOUSES, {"rooms": 5.5, "area": 1, "town": ""}, None),
        (
            HOUSES,
            {"rooms": True, "area": 1, "town": ""},
            "`/rooms` is true or false, not a number",
        ),
        (HOUSES, "text", "the sample is a string, not an object"),
        (HOUSES, None, "the sample is null, not an object"),
        (HOUSES, [3, 80.5, "Ulm"], "the sample is a list, not an object"),
        (
            HOUSES,
            HOUSES,
            MANY,
        ),
        (
            HOUSES,
            {"rooms;area;town": "3;80.5;Ulm"},
            SEPARATOR,
        ),
        (WIDE, {}, "the sample lacks 33 of 33 fields: `f0`, `f1`, `f10`, ..."),
        (
            WIDE,
            dict.fromkeys(WIDE[0], "x"),
            STRINGS,
        ),
        (FLOWERS, [6, 2.5], None),
        (FLOWERS, [6], "the sample has length 1, not 2"),
        (
            FLOWERS,
            [[6, 2.5]],
            MANY,
        ),
        (FLOWERS, [6, None], "`/1` is null, not a number"),
        (FLOWERS, [], "the sample has length 0, not 2"),
        ([[1], [2, 3]], [], None),
        (["a text"], 1, "the sample is a number, not a string"),
        ([1, None, "x"], [], "the sample is a list, not null or a number or a string"),
        (NESTED, {"at": {"x/y": ["a"]}, "~": None}, "`/at/x~1y/0` is a string, not a number"),
        (NESTED, {"at": {}, "~": 1}, BELOW),
        ([], {"anything": [1]}, None),
        ([{"a": []}], {"a": [1, "b", None]}, None),
    ],
)
def test_the_difference_is_described(samples, sample, message):
    assert difference_of(samples, sample) == message


def test_long_names_are_truncated():
    message = difference_of(HOUSES, {"x" * 500: 1})
    assert len(message) < 200
    assert "x" * 40 + "...`" in message


def raised(kind, cause):
    error = kind("it failed")
    error.__cause__ = cause
    return error


def error_of(error, sample, *, is_list=False, is_strict=False):
    """Return the error that is sent for a model's error about a sample."""
    schema = SampleSchema(describe_input(HOUSES), is_strict=is_strict)
    return schema.explain(error, lambda: sample, is_list=is_list)


@pytest.mark.parametrize(
    ("error", "is_explained"),
    [
        (raised(PredictorError, ValueError("no")), True),
        (raised(RefusedError, None), True),
        (raised(RefusedError, KeyError("rooms")), True),
        (raised(PredictorError, ModuleNotFoundError("scipy")), False),
        (raised(PredictorError, MemoryError()), False),
        (raised(PredictorError, ConnectionRefusedError()), False),
        (raised(PredictorError, TimeoutError()), False),
        (raised(PredictorError, RecursionError()), False),
        (raised(PredictorError, SystemExit(1)), False),
        (raised(PredictorError, RuntimeError("CUDA out of memory. Tried ...")), False),
        (raised(PredictorError, RuntimeError("mat1 and mat2 cannot be multiplied")), True),
        (TimeLimitError("too late"), False),
    ],
)
def test_errors_that_the_sample_can_cause_are_explained_by_it(error, is_explained):
    found = error_of(error, {"rooms": 3})
    assert isinstance(found, SampleSchemaError) is is_explained
    assert (found is error) is not is_explained
    assert found.__cause__ is error.__cause__
    assert error_of(error, HOUSES[0]) is error
    assert error_of(error, {"rooms": 3}, is_strict=True) is error


def test_the_differing_entry_of_a_list_is_named():
    error = raised(PredictorError, ValueError("no"))
    found = error_of(error, [*HOUSES, {"rooms": 3}], is_list=True)
    assert str(found) == "entry 2: the sample lacks 2 of 4 fields: `area`, `town`"
    assert error_of(error, HOUSES, is_list=True) is error


def test_only_a_strict_schema_rejects_samples():
    SampleSchema(describe_input(HOUSES)).check({})
    strict = SampleSchema(describe_input(HOUSES), is_strict=True)
    strict.check(HOUSES[0])
    strict.check(HOUSES, is_list=True)
    for sample, is_list in (({}, False), ([{}], True)):
        with pytest.raises(SampleSchemaError, match="lacks 3 of 4 fields"):
            strict.check(sample, is_list=is_list)
    SampleSchema(describe_input([]), is_strict=True).check({})


def test_a_large_sample_is_explained_quickly_and_strictly_compared_in_full():
    schema = describe_input([[[1, 2.5]], [[3, 4]]])
    large = [[0] * 5_000, *([0, 1] for _ in range(5_000)), ["bad"]]
    budget = iter(range(MAX_COMPARED))
    assert difference(schema, large, budget).startswith("the sample has length 5002, not 1")
    assert next(budget, None) is None
    assert "`/5001/0` is a string, not a number" in difference(schema, large, repeat(0))
