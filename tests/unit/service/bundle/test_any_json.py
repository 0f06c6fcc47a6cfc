"""JSON is read and written strictly, as by the standard library."""

import json
import math
from collections import OrderedDict, deque
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nachlass_service.base.errors import NotJsonError, UnserialisableError
from nachlass_service.bundle.jsonable import convert, dumps
from nachlass_service.bundle.strict_json import encode, loads
from support.properties import may_refuse

# With lone surrogates, as in file names; a high and a low one would form one character.
TEXTS = st.text(
    st.one_of(
        st.characters(codec="utf-8"), st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)
    ),
    max_size=5,
)
INTEGERS = st.one_of(st.integers(), st.sampled_from([2**53 + 1, -(2**63), 10**400, -(10**4299)]))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.one_of(st.none(), st.booleans(), INTEGERS, FLOATS, TEXTS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=10,
)
PIECES = st.lists(
    st.sampled_from(
        [
            *(
                "[",
                "]",
                "{",
                "}",
                ",",
                ":",
                '"',
                "\\",
                "\\u",
                "d800",
                "\\ud83d\\ude00",
                "\x00",
                "\n",
            ),
            *("0", "1", "-", ".", "e", "E", "+", "1e400", "1e-400", "00", "9" * 310, "9" * 4301),
            *(
                "null",
                "true",
                "NaN",
                "Infinity",
                "-Infinity",
                "\ufeff",
                "é",
                "\u2028",
                '"a":1',
                " ",
            ),
        ]
    ),
    max_size=8,
).map("".join)


def same(one, other):
    """Return whether two values are equal, with their types, signs of zero and order of keys."""
    return repr(one) == repr(other)


def read_strictly(text):
    """Read JSON with the standard library; reject NaN, infinities and repeated keys."""

    def refuse(number):
        raise ValueError(number)

    def finite(number):
        return float(number) if math.isfinite(float(number)) else refuse(number)

    def once(pairs):
        return dict(pairs) if len(dict(pairs)) == len(pairs) else refuse("repeated")

    return json.loads(text, parse_constant=refuse, parse_float=finite, object_pairs_hook=once)


@given(
    value=VALUES,
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 0, 2]),
)
def test_all_json_written_by_the_standard_library_is_read(value, ascii_only, indent):
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert same(loads(text), value)
    if ascii_only:
        assert same(loads(text.encode()), value)


@given(value=VALUES)
def test_encoded_values_are_one_line_that_the_standard_library_reads(value):
    assert same(convert(value), value)
    written = encode(value)
    assert b"\n" not in written
    assert same(read_strictly(written), value)
    assert same(loads(written), value)
    assert dumps(value) == written.decode()


@given(text=st.one_of(PIECES, st.text(max_size=6), VALUES.map(json.dumps).map(lambda t: t[:-1])))
@example('{"a": 1, "a": 2}')
@example("1" * 4301)
@example('"\\ud800"')
@example("[" * 5000)
@example(" " * 400 + "NaN")
def test_any_text_is_read_as_by_the_standard_library_or_rejected(text):
    try:
        expected = read_strictly(text)
    except (ValueError, RecursionError):
        with pytest.raises(NotJsonError):
            loads(text)
        return
    assert same(loads(text), expected)


@given(body=st.one_of(st.binary(max_size=8), PIECES.map(str.encode)))
@example(b"\xef\xbb\xbf1")
@example("1".encode("utf-16"))
def test_any_bytes_are_read_as_utf_8_or_rejected(body):
    try:
        expected = read_strictly(body.decode("utf-8"))
    except ValueError:
        with pytest.raises(NotJsonError):
            loads(body)
        return
    assert same(loads(body), expected)


HASHABLE = st.one_of(LEAVES, st.tuples(LEAVES), st.floats(), st.decimals(allow_nan=False))
PYTHON = st.recursive(
    st.one_of(
        *(LEAVES, st.floats(), st.decimals(), st.dates(), st.times(), st.datetimes()),
        *(st.timedeltas(), st.uuids(), st.binary(max_size=3), st.complex_numbers()),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.lists(inner, max_size=3).map(deque),
        st.frozensets(HASHABLE, max_size=3),
        st.dictionaries(HASHABLE, inner, max_size=3),
        st.dictionaries(HASHABLE, inner, max_size=3).map(OrderedDict),
    ),
    max_leaves=8,
)


def is_plain(value):
    """Return whether a value has only JSON types."""
    if isinstance(value, dict):
        return all(type(key) is str and is_plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(is_plain, value))
    return type(value) in (type(None), bool, int, str) or (
        type(value) is float and math.isfinite(value)
    )


@given(value=PYTHON)
@example({1: 1, "1": 2})
@example({Decimal("1E+5000"): 1})
@example([Decimal("1E+5000")])
def test_any_value_becomes_plain_json_or_is_rejected(value):
    with may_refuse(UnserialisableError):
        plain = convert(value)
        assert is_plain(plain)
        written = encode(plain)
        assert same(read_strictly(written), plain)
        assert encode(convert(plain)) == written


@given(entries=st.dictionaries(HASHABLE, st.integers(), max_size=5))
def test_no_entry_of_an_object_is_lost(entries):
    try:
        plain = convert(entries)
    except UnserialisableError:
        names = [json.dumps(convert(key)) for key in entries]
        texts = {name if name.startswith('"') else json.dumps(name) for name in names}
        assert len(texts) < len(entries)
        return
    assert [*plain.values()] == [*entries.values()]


@given(depth=st.integers(1, 200), leaf=LEAVES)
def test_deeply_nested_values_survive_a_round_trip(depth, leaf):
    value = leaf
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    assert loads(encode(convert(value))) == value
