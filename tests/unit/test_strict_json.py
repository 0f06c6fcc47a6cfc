import collections
import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import uuid

import numpy as np
import pandas as pd
import pytest

from nachlass_service.errors import NotJsonError, UnserialisableError
from nachlass_service.strict_json import dumps, jsonable, loads


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: float
    tags: set


Pair = collections.namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (2**80, 2**80),
        (float("nan"), None),
        (float("-inf"), None),
        ("ä", "ä"),
        ((1, 2), [1, 2]),
        (Pair(1, 2), [1, 2]),
        ({3, 1, 2}, [1, 2, 3]),
        (range(3), [0, 1, 2]),
        ({2: "a", None: "b", (1, 2): "c"}, {"2": "a", "null": "b", "[1, 2]": "c"}),
        (datetime.date(2026, 1, 31), "2026-01-31"),
        (datetime.timedelta(minutes=1), 60.0),
        (decimal.Decimal("0.10"), 0.1),
        (decimal.Decimal(7), 7),
        (decimal.Decimal("NaN"), None),
        (Colour.RED, "red"),
        (Point(1.5, {"a"}), {"x": 1.5, "tags": ["a"]}),
        (pathlib.PurePosixPath("a/b"), "a/b"),
        (uuid.UUID(int=0), "00000000-0000-0000-0000-000000000000"),
    ],
)
def test_python_values(value, expected):
    assert jsonable(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int32(4), 4),
        (np.float64("nan"), None),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array(["a", None], dtype=object), ["a", None]),
        (np.datetime64("2026-01-31T12:00", "ns"), "2026-01-31T12:00:00"),
        (np.datetime64("NaT"), None),
        (np.timedelta64(90, "s"), 90.0),
        (np.array(["2026-01-31"], dtype="M8[ns]"), ["2026-01-31T00:00:00"]),
        (np.array(7.5), 7.5),
        (pd.Timestamp("2026-01-31"), "2026-01-31T00:00:00"),
        (pd.NaT, None),
        (pd.NA, None),
        (pd.Timedelta("1min"), 60.0),
        (pd.Series([1, 2]), [1, 2]),
        (pd.Series({"a": 1.5, "b": np.nan}), {"a": 1.5, "b": None}),
        (pd.DataFrame({"a": [1, 2], 3: ["x", None]}), [{"a": 1, "3": "x"}, {"a": 2, "3": None}]),
        (pd.Categorical(["a", "b"]), ["a", "b"]),
        (pd.Index([1, 2]), [1, 2]),
        (pd.Interval(0, 1), "(0, 1]"),
        (pd.Period("2026-01"), "2026-01"),
        ({np.int64(1): np.float64(2)}, {"1": 2.0}),
    ],
)
def test_values_of_numpy_and_pandas(value, expected):
    assert jsonable(value) == expected
    assert json.loads(dumps(value)) == expected


@pytest.mark.parametrize("value", [object(), 1j, b"bytes", print, type, {1: object()}])
def test_what_has_no_json_form_is_refused_by_name(value):
    with pytest.raises(UnserialisableError, match="has no JSON form"):
        dumps(value)


def test_a_value_that_holds_itself_is_refused():
    value = []
    value.append(value)
    with pytest.raises(UnserialisableError, match="holds itself"):
        dumps(value)


def test_lone_surrogates_are_escaped():
    assert json.loads(dumps("\ud800")) == "\ud800"
    dumps("\ud800").encode()


@pytest.mark.parametrize(
    "text",
    ["", "nan", "NaN", "[1, Infinity]", "{'a': 1}", b"\xff", "[" * 200000, "1" * 5000, "1 2"],
)
def test_only_strict_json_is_read(text):
    with pytest.raises(NotJsonError):
        loads(text)
