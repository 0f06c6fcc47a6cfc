"""Limits on the JSON that is decoded for a client."""

import gc
import json
import re
from io import BufferedReader, BytesIO
from types import FunctionType
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nachlass_service.base.errors import NotJsonError, TooLargeError
from nachlass_service.batches.csv import CsvReader
from nachlass_service.batches.json_lines import LineReader
from nachlass_service.bundle import strict_json
from nachlass_service.scoring import bounded_json
from nachlass_service.scoring.bounded_json import (
    MAX_CONTAINERS,
    MAX_ESCAPES,
    MAX_TEXTS,
    MAX_VALUES,
    PIECE_BYTES,
    Size,
    loads_bounded,
    size_of,
)
from nachlass_service.scoring.form import fields_of
from nachlass_service.scoring.request_body import FORM, read_body

LISTS = b"[" + b"[]," * MAX_CONTAINERS + b"[]]"
TEXTS = b"[" + b'"",' * MAX_TEXTS + b'""]'
NUMBERS = b"[" + b"1," * MAX_VALUES + b"1]"
ESCAPES = b'"' + b"a\\n" * (MAX_ESCAPES + 1) + b'"'
KEYS = json.dumps({str(number): 1 for number in range(MAX_TEXTS + 1)}).encode()
HUGE = [
    (LISTS, f"lists and objects (limit {MAX_CONTAINERS})"),
    (LISTS.replace(b"[]", b"{}"), f"lists and objects (limit {MAX_CONTAINERS})"),
    (TEXTS, f"strings and keys (limit {MAX_TEXTS})"),
    (KEYS, f"strings and keys (limit {MAX_TEXTS})"),
    (NUMBERS, f"values (limit {MAX_VALUES})"),
    (ESCAPES, f"escapes in strings (limit {MAX_ESCAPES})"),
]


@pytest.mark.parametrize(("body", "message"), HUGE)
def test_json_over_a_limit_is_rejected_with_that_limit(body, message):
    for given_body in (body, body.decode()):
        with pytest.raises(TooLargeError) as caught:
            loads_bounded(given_body)
        assert message in str(caught.value)
        assert "send less" in str(caught.value)
    with pytest.raises(TooLargeError):
        read_body("application/json", "", body)
    with pytest.raises(TooLargeError):
        read_body(FORM, "", b"json_args=" + body)


def test_json_over_a_limit_is_rejected_before_decoding(monkeypatch):
    monkeypatch.setattr(bounded_json, "loads", lambda _text: pytest.fail("it is decoded"))
    with pytest.raises(TooLargeError):
        loads_bounded(LISTS)


@pytest.mark.parametrize(
    "value",
    [
        [[[0, 128, 255]] * 512] * 512,
        [[]] * (MAX_CONTAINERS - 1),
        [""] * MAX_TEXTS,
        [1.5] * (MAX_VALUES - 2),
        ",[{:" * MAX_VALUES,
        '\\",[{' * (MAX_ESCAPES // 2),
        "a\n" * MAX_ESCAPES,
        {'"\\': ',,[\\"' * PIECE_BYTES},
    ],
    ids=["image", "lists", "texts", "numbers", "text", "quotes", "lines", "key"],
)
def test_json_within_the_limits_is_decoded(value):
    assert loads_bounded(json.dumps(value).encode()) == value


def test_a_row_over_a_limit_is_one_bad_row():
    lines = LineReader(_stream(b"1\n" + LISTS + b"\n2\n"), 1 << 24)
    one, bad, two = [sample for _ in range(2) for sample in lines.read(3).samples()]
    assert (one, type(bad), two) == (1, TooLargeError, 2)
    schema = {"type": "object", "properties": {"a": {"type": "array"}}}
    rows = CsvReader(_stream(b"a\n[1]\n" + b'"' + LISTS + b'"\n[2]\n'), schema, 1 << 24)
    one, bad, two = [sample for _ in range(2) for sample in rows.read(3).samples()]
    assert (one, type(bad), two) == ({"a": [1]}, TooLargeError, {"a": [2]})


def _stream(data):
    return BufferedReader(BytesIO(data))


VALUES = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(st.sampled_from('a"\\,[]{}:é\n'), max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=30,
)


def counted(value):
    """Count the lists and objects, strings and keys, and values in a value."""
    if isinstance(value, list | dict):
        items = value if isinstance(value, list) else value.values()
        sizes = [counted(item) for item in items]
        keys = len(value) if isinstance(value, dict) else 0
        containers, texts, values, _ = map(sum, zip(Size(0, 0, 0, 0), *sizes, strict=True))
        return Size(containers + 1, texts + keys, values + 1, 0)
    return Size(0, int(isinstance(value, str)), 1, 0)


@given(value=VALUES, piece_bytes=st.integers(1, 9), is_ascii=st.booleans())
@example(value=["\\"], piece_bytes=3, is_ascii=True)
@example(value=['"', '\\"'], piece_bytes=1, is_ascii=True)
def test_json_is_counted_alike_however_it_is_split(value, piece_bytes, is_ascii):
    text = json.dumps(value, ensure_ascii=is_ascii).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounded_json, "PIECE_BYTES", piece_bytes)
        size = size_of(text)
    containers, texts, values, _ = counted(value)
    assert size.escapes == len(re.findall(rb"\\(?:u....|.)", text))
    assert (size.containers, size.texts) == (containers, texts)
    # An empty list counts as if it had one value.
    assert values <= size.values <= values + containers


@given(text=st.text(st.sampled_from('a"\\,[]{}:1 '), max_size=40))
def test_any_text_can_be_counted(text):
    size = size_of(text.encode())
    assert max(size) <= len(text) + 1


def test_large_json_is_decoded_like_small_json(monkeypatch):
    monkeypatch.setattr(strict_json, "LARGE", 3)
    values = [1, -(10**400), 1.5, "ä", None, {"a": [True]}]
    assert loads_bounded(json.dumps(values)) == values
    for bad in (b"[NaN]", b"[1e999]", b'["\xff"]', b"[" * 9999, b"9" * 5000, b"[1 2]"):
        with pytest.raises(NotJsonError):
            loads_bounded(bad)
    assert gc.isenabled()
    gc.disable()
    try:
        loads_bounded(b"[1, 2]")
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_numbers_in_large_json_are_parsed_by_python_functions():
    """Let other threads run between numbers: they cannot within the C decoder."""
    for parse in (strict_json._shared.parse_int, strict_json._shared.parse_float):
        assert isinstance(parse, FunctionType)


ESCAPED = st.text(st.sampled_from("a%+&=é 0"), max_size=12)


@given(pairs=st.lists(st.tuples(ESCAPED, ESCAPED), max_size=3), piece_bytes=st.integers(3, 9))
def test_forms_are_decoded_as_by_the_standard_library_however_they_are_split(pairs, piece_bytes):
    body = urlencode(pairs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nachlass_service.scoring.form.PIECE_BYTES", piece_bytes)
        fields = fields_of(body.encode())
    expected = dict(reversed(parse_qsl(body, keep_blank_values=True)))
    assert fields == (expected or {"": ""})


def test_a_form_can_have_a_lone_surrogate():
    text = '["\ud800", ' + "[], " * 100_000 + "1]"
    assert loads_bounded(text)[0] == "\ud800"
    with pytest.raises(TooLargeError, match=f"limit {MAX_CONTAINERS}"):
        loads_bounded('["\ud800", ' + "[], " * MAX_CONTAINERS + "1]")
