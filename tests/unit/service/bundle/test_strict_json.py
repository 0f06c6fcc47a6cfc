import collections
import collections.abc
import dataclasses
import datetime
import decimal
import enum
import gc
import json
import math
import pathlib
import re
import uuid

import numpy as np
import pandas as pd
import pytest

from nachlass_service.base.errors import NotJsonError, UnserialisableError
from nachlass_service.bundle.jsonable import by_position, convert, dumps, jsonable
from nachlass_service.bundle.strict_json import LARGE, encode, loads


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
        ({8, 1, 2}, [1, 2, 8]),
        (range(3), [0, 1, 2]),
        ({2: "a", None: "b", (1, "ä"): "c"}, {"2": "a", "null": "b", '[1, "ä"]': "c"}),
        (datetime.date(2026, 1, 31), "2026-01-31"),
        (datetime.timedelta(minutes=1), 60.0),
        (decimal.Decimal("0.10"), 0.1),
        (decimal.Decimal(2**60 + 1), 2**60 + 1),
        (decimal.Decimal("NaN"), None),
        (decimal.Decimal("sNaN"), None),
        (decimal.Decimal("1" * 400 + ".5"), None),
        (Colour.RED, "red"),
        (Point(1.5, {"a"}), {"x": 1.5, "tags": ["a"]}),
        (pathlib.PurePosixPath("a/b"), "a/b"),
        (uuid.UUID(int=0), "00000000-0000-0000-0000-000000000000"),
    ],
)
def test_python_values_are_converted(value, expected):
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
        (np.datetime64("NaT", "s"), None),
        (np.timedelta64(90, "s"), 90.0),
        (np.array(["2026-01-31"], dtype="M8[ns]"), ["2026-01-31T00:00:00"]),
        (np.array(7.5), 7.5),
        (pd.Timestamp("2026-01-31"), "2026-01-31T00:00:00"),
        (pd.NaT, None),
        (pd.NA, None),
        (pd.Timedelta("1min"), 60.0),
        (np.array([(1, 2.5)], dtype=[("a", int), ("b", float)]), [{"a": 1, "b": 2.5}]),
        (np.array([(1, 2.5)], dtype=[("a", int), ("b", float)])[0], {"a": 1, "b": 2.5}),
        (np.rec.array([(1, 2.5)], dtype=[("a", int), ("b", float)]), [{"a": 1, "b": 2.5}]),
        (
            pd.DataFrame({"p": [0.3, 0.7]}, index=[False, True]),
            [{"index": False, "p": 0.3}, {"index": True, "p": 0.7}],
        ),
        (pd.Series([1, 2]), {"0": 1, "1": 2}),
        (pd.Series([1, 2, 3])[[False, True, True]], {"1": 2, "2": 3}),
        (
            pd.Series([1, 2], index=pd.to_datetime(["2026-01-30", "2026-01-31"])),
            {"2026-01-30T00:00:00": 1, "2026-01-31T00:00:00": 2},
        ),
        (pd.DataFrame({"a": [1, 2]}, index=[3, 3]), [{"index": 3, "a": 1}, {"index": 3, "a": 2}]),
        (
            pd.DataFrame({"a": [1]}, index=pd.to_datetime(["2026-01-31"])),
            [{"index": "2026-01-31T00:00:00", "a": 1}],
        ),
        (pd.DataFrame({"a": [1]}, index=pd.Index(["x"], name="key")), [{"key": "x", "a": 1}]),
        (pd.DataFrame({"a": [1]}, index=pd.Index([0], name="row")), [{"row": 0, "a": 1}]),
        (
            pd.DataFrame({"a": [1]}, index=pd.MultiIndex.from_tuples([(0, "x")])),
            [{"level_0": 0, "level_1": "x", "a": 1}],
        ),
        (pd.Series({"a": 1.5, "b": np.nan}), {"a": 1.5, "b": None}),
        (pd.DataFrame({"a": [1, 2], 3: ["x", None]}), [{"a": 1, "3": "x"}, {"a": 2, "3": None}]),
        (pd.Categorical(["a", "b"]), ["a", "b"]),
        (pd.Index([1, 2]), [1, 2]),
        (pd.Interval(0, 1), "(0, 1]"),
        (pd.Period("2026-01"), "2026-01"),
        ({np.int64(1): np.float64(2)}, {"1": 2.0}),
    ],
)
def test_values_of_numpy_and_pandas_are_converted(value, expected):
    assert jsonable(value) == expected
    assert json.loads(dumps(value)) == expected


@pytest.mark.parametrize("value", [object(), 1j, b"bytes", print, type, {1: object()}])
def test_a_value_without_a_json_form_is_rejected_by_name(value):
    with pytest.raises(UnserialisableError, match="has no JSON form"):
        dumps(value)


def test_an_unsortable_set_is_a_list():
    assert {*jsonable({1, "a"})} == {1, "a"}


class Offers:
    """Has one method, like values of pydantic, polars and torch."""

    def __init__(self, method, converted):
        setattr(self, method, lambda: self if converted is None else converted)


@pytest.mark.parametrize("method", ["model_dump", "to_dicts", "tolist"])
def test_values_of_other_libraries_are_converted_by_their_method(method):
    assert jsonable(Offers(method, (1, math.nan))) == [1, None]


def test_a_method_that_returns_its_object_gives_no_json():
    name = f"{Offers.__module__}.Offers"
    with pytest.raises(UnserialisableError, match=f"^a {re.escape(name)} has no JSON form$"):
        convert(Offers("tolist", None))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({1: "a", "1": "b"}, "the keys 1 and '1' would have the same name in JSON, \"1\""),
        (
            {True: 1, "true": 2},
            "the keys True and 'true' would have the same name in JSON, \"true\"",
        ),
        (
            {None: 1, float("nan"): 2},
            'the keys None and nan would have the same name in JSON, "null"',
        ),
        ([{"in": {(1,): 1, "[1]": 2}}], "the keys (1,) and '[1]' would have the same name"),
        (
            pd.Series([1, 2], index=["a", "a"]),
            "the index label 'a' occurs twice and would have the same",
        ),
        (pd.Series([1, 2], index=[1, "1"]), "the index labels 1 and '1' would have the same name"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "the column 'a' occurs twice"),
        (
            pd.DataFrame([[1, 2]], columns=[1, "1"]),
            "the columns 1 and '1' would have the same name",
        ),
        (pd.DataFrame({"a": [1]}, index=pd.Index([5], name="a")), "reset_index(drop=True)"),
    ],
)
def test_values_with_colliding_names_are_rejected(value, message):
    with pytest.raises(UnserialisableError, match=re.escape(message)):
        dumps(value)


@pytest.mark.parametrize("threshold", [-1, 1, 2])
def test_a_filtered_series_is_an_object(threshold):
    series = pd.Series([1, 2, 3])
    assert isinstance(jsonable(series[series > threshold]), dict)


def test_rows_are_selected_by_position():
    assert jsonable(by_position(pd.Series([1, 2], index=["a", "a"]))) == [1, 2]
    assert jsonable(by_position(pd.DataFrame({"a": [1]}, index=[7]))) == [{"a": 1}]
    assert by_position(7) == 7


def test_a_value_that_contains_itself_is_rejected():
    value = []
    value.append(value)
    message = "^a list that is nested too deeply or contains itself has no JSON form$"
    with pytest.raises(UnserialisableError, match=message):
        dumps(value)


@pytest.mark.parametrize("value", ["\ud800", {"a\udfff": ["ä\ud800"]}])
def test_lone_surrogates_are_escaped(value):
    text = encode(convert(value))
    assert text.isascii()
    assert json.loads(text) == loads(text) == value
    assert dumps(value) == text.decode()


def test_text_is_not_escaped():
    assert encode({"ä": "\U0001f600\u2028\n"}) == '{"ä": "\U0001f600\u2028\\n"}'.encode()


class RaisesInItsMethod:
    def __init__(self, kind):
        self.kind = kind

    def tolist(self):
        raise self.kind("no list today")


class RaisesInItsItems(collections.abc.Mapping):
    def __init__(self, kind):
        self.kind = kind

    def __getitem__(self, _key):
        raise self.kind("no item today")

    def __iter__(self):
        return iter("ab")

    def __len__(self):
        return 2


class RaisesAsANumber(int):
    kind = ValueError

    def __new__(cls, kind):
        number = super().__new__(cls, 1)
        number.kind = kind
        return number

    def __int__(self):
        raise self.kind("no number today")


class RaisesOnAttributeAccess:
    def __init__(self, kind):
        self.kind = kind

    def __getattr__(self, name):
        raise self.kind("no attribute today")


@pytest.mark.parametrize("kind", [ValueError, MemoryError, SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize(
    "value", [RaisesInItsMethod, RaisesInItsItems, RaisesAsANumber, RaisesOnAttributeAccess]
)
def test_a_value_that_raises_during_the_conversion_is_rejected(value, kind):
    with pytest.raises(UnserialisableError, match=rf"{kind.__name__}: no .* today") as caught:
        convert([value(kind)])
    assert type(caught.value.__cause__) is kind


def test_an_error_keeps_its_message():
    with pytest.raises(UnserialisableError, match=r"^a complex has no JSON form$"):
        convert({"a": [1j]})
    with pytest.raises(UnserialisableError, match=r"^an object has no JSON form$"):
        convert(object())


class Endless:
    def tolist(self):
        return [Endless()]


def nested(depth, value=0):
    for _ in range(depth):
        value = [value]
    return value


DEEP = nested(100_000)


@pytest.mark.parametrize("value", [DEEP, {"a": nested(5000)}, Endless()])
def test_a_value_nested_too_deeply_is_rejected(value):
    with pytest.raises(UnserialisableError, match="nested too deeply or contains itself"):
        convert(value)


def test_a_value_too_deep_to_write_is_rejected():
    with pytest.raises(UnserialisableError, match="cannot be written as JSON"):
        encode(DEEP)
    with pytest.raises(UnserialisableError, match="cannot be written as JSON"):
        encode(["\ud800", DEEP])


def test_integers_are_exact_up_to_the_digit_limit():
    assert encode(convert(np.int64(2**63 - 1))) == b"9223372036854775807"
    longest = 10**4300 - 1
    assert loads(encode(convert(longest))) == longest
    assert convert(10**5000) == 10**5000
    with pytest.raises(UnserialisableError, match="cannot be written as JSON"):
        encode([10**5000])
    with pytest.raises(UnserialisableError, match="a dict cannot be written as JSON"):
        convert({10**5000: 1})


@pytest.mark.parametrize("value", [math.nan, math.inf, [-math.inf], ["\ud800", math.inf]])
def test_unconverted_infinities_are_rejected(value):
    with pytest.raises(UnserialisableError):
        encode(value)


@pytest.mark.parametrize("text", ["1e400", "-1e400", "[1, 1.5e999]", '{"a": 9e99999}', b"2E+308"])
def test_a_number_too_large_for_a_float_is_rejected(text):
    with pytest.raises(NotJsonError, match=r"^the number .* is too large$"):
        loads(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value: line 1 column 1 (char 0)"),
        ("[1, NaN]", "NaN is not JSON"),
        (b"1\xff", "not UTF-8: invalid start byte at byte 1"),
        ("[" * 200_000, "nested too deeply"),
        ("1" * 5000, "an integer has too many digits"),
        (f"{'1' * 500}.0", f"the number {'1' * 40} is too large"),
    ],
    ids=range(6),
)
def test_an_invalid_text_is_explained(text, message):
    with pytest.raises(NotJsonError) as caught:
        loads(text)
    assert str(caught.value) == message


LONG = f"[{', '.join('[1]' for _ in range(60_000))}"


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"a" : 1, "a":1}',
        '{"a": 1, "b:": 2, "a": 3}',
        '[{"a": {"b": 1, "c": 2}}, {"a": {"a": 1, "a": 2}}]',
        '{"b": 1, "\\u0061": 1e5, "a": 2}',
        LONG + ', {"a": 1, "a": 2}]',
    ],
    ids=range(6),
)
def test_a_repeated_key_is_rejected(text):
    with pytest.raises(NotJsonError) as caught:
        loads(text)
    assert str(caught.value) == "the key 'a' is repeated"


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "x:y", "b": {"a": [{"a": 1}, {"a": 2}]}}',
        '{"a:": 1, "a": 2, "A": 3}',
        '["a:a", "a:a"]',
        LONG + ', {"a": 1, "b": 2}]',
    ],
    ids=range(4),
)
def test_text_that_looks_like_a_repeated_key_is_read(text):
    assert loads(text) == json.loads(text)


def test_numbers_in_the_range_of_floats_are_read():
    assert loads("[1e308, 1e-400, -0.0, 1E5]") == [1e308, 0.0, 0.0, 100000.0]
    assert loads(f"1{'0' * 400}") == 10**400


@pytest.mark.parametrize(
    "text",
    ["", "nan", "NaN", "[1, Infinity]", "{'a': 1}", b"\xff", "[" * 200000, "1" * 5000, "1 2"],
)
def test_only_strict_json_is_read(text):
    with pytest.raises(NotJsonError):
        loads(text)


@pytest.mark.parametrize("infinite", [math.nan, math.inf])
def test_a_lone_surrogate_does_not_hide_an_infinity(infinite):
    assert encode(["\ud800"]) == b'["\\ud800"]'
    with pytest.raises(UnserialisableError, match="cannot be written as JSON"):
        encode(["\ud800", infinite])


@pytest.mark.parametrize("is_enabled", [True, False])
def test_a_large_text_is_decoded_like_a_small_one(is_enabled):
    value = [1, -2, 2**70, 1.5, "ä", None, {"a": [True]}] * 20_000
    text = json.dumps(value)
    assert len(text) > LARGE
    assert gc.isenabled()
    if not is_enabled:
        gc.disable()
    try:
        decoded = loads(text)
        assert gc.isenabled() is is_enabled
    finally:
        gc.enable()
    assert decoded == value
    assert [type(one) for one in decoded[:4]] == [int, int, int, float]
    for bad in ("NaN", "1e999", "1" * 5000, "[" * 10, '"'):
        with pytest.raises(NotJsonError):
            loads(f"[{text}, {bad}]")
        assert gc.isenabled()
