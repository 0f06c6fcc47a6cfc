"""Any rows, in pieces of any size, are read or rejected one by one."""

import csv
import io
import json
from decimal import Decimal
from functools import partial

from hypothesis import example, given
from hypothesis import strategies as st

from nachlass_builder.proof.describe_predictions import describe_input
from nachlass_service.base.errors import NotJsonError, ServiceError, TooLargeError
from nachlass_service.batches.columns import reader_of_text
from nachlass_service.batches.csv import CsvReader, CsvWriter
from nachlass_service.batches.json_lines import LineReader, LineWriter, ListWriter

MAX_BYTES = 1000
TEXTS = st.text(st.sampled_from("ab01 ,;'\"\t\r\n\\{}[]#é€😀\u2028\x00\x85\ufeff"), max_size=6)
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=5,
)
SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=5)
AT_ONCE = st.integers(1, 5)
ENDS = st.sampled_from(["\n", "\r\n"])
MARKS = st.sampled_from([b"", b"\xef\xbb\xbf"])
PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *(b"a,b", b"1,2", b'"', b'""', b",", b"\n", b"\r\n", b"\r", b"\x00", b"\xff", b" "),
                *(b"\xef\xbb\xbf", b"\xc3", b"\xa9", b"[1]", b"{", b'{"a":1}', b"NaN", b"x" * 200),
            ]
        ),
        st.binary(max_size=3),
    ),
    max_size=12,
).map(b"".join)


class Arriving(io.RawIOBase):
    """A body that arrives in pieces of these sizes, repeatedly."""

    def __init__(self, data, sizes):
        self.data, self.sizes, self.turn = io.BytesIO(data), sizes, 0

    def readable(self):
        return True

    def readinto(self, buffer):
        size = self.sizes[self.turn % len(self.sizes)]
        self.turn += 1
        return self.data.readinto(memoryview(buffer)[:size])


def read(make, body, sizes=(100_000,), at_once=1000):
    """Return everything a reader yields for a body; errors as their type and message."""
    found = []
    try:
        reader = make(io.BufferedReader(Arriving(body, sizes), 16))
        while rows := reader.read(at_once):
            samples = rows.samples()
            assert len(samples) == len(rows) <= at_once
            found += samples
    except ServiceError as error:
        found.append(error)
    return [(type(one), str(one)) if isinstance(one, ServiceError) else one for one in found]


lines_of = partial(read, partial(LineReader, max_bytes=MAX_BYTES))


def cells_of(body, schema=True, **arriving):
    return read(partial(CsvReader, schema=schema, max_bytes=MAX_BYTES), body, **arriving)


@given(values=st.lists(VALUES, max_size=5), end=ENDS, mark=MARKS, sizes=SIZES, at_once=AT_ONCE)
def test_json_lines_are_read_in_pieces_of_any_size(values, end, mark, sizes, at_once):
    body = (
        mark
        + "".join(
            json.dumps(value, ensure_ascii=False) + end * (1 + place % 2)
            for place, value in enumerate(values)
        ).encode()
    )
    read = lines_of(body, sizes=sizes, at_once=at_once)
    assert repr(read) == repr(values)


@given(body=PIECES, sizes=SIZES, at_once=AT_ONCE)
def test_any_body_of_lines_is_read_row_by_row(body, sizes, at_once):
    rows = lines_of(body, sizes=sizes, at_once=at_once)
    assert repr(rows) == repr(lines_of(body))
    wanted = [line for line in body.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
    assert len(rows) == len(wanted)
    for row, line in zip(rows, wanted, strict=True):
        if isinstance(row, tuple):
            assert row[0] is (TooLargeError if len(line) > MAX_BYTES else NotJsonError)
        else:
            assert repr(json.loads(line)) == repr(row)


TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(TEXTS, min_size=width, max_size=width), max_size=4)
)


def as_csv(rows, end="\r\n", quoting=csv.QUOTE_MINIMAL):
    out = io.StringIO()
    csv.writer(out, lineterminator=end, quoting=quoting).writerows(rows)
    return out.getvalue().encode()


@given(
    rows=TABLES,
    # Before Python 3.13, csv does not quote \r if lines end differently.
    form=st.sampled_from(
        [("\r\n", csv.QUOTE_MINIMAL), ("\r\n", csv.QUOTE_ALL), ("\n", csv.QUOTE_ALL)]
    ),
    mark=MARKS,
    sizes=SIZES,
    at_once=AT_ONCE,
)
def test_csv_is_read_in_any_dialect_and_in_pieces_of_any_size(rows, form, mark, sizes, at_once):
    width = len(rows[0]) if rows else 1
    header = [f"column {place}" for place in range(width)]
    body = mark + as_csv([header, *rows], *form)
    schema = {"type": "object", "additionalProperties": {"type": "string"}}
    schema["properties"] = {name: {"type": "string"} for name in header}
    read = cells_of(body, schema, sizes=sizes, at_once=at_once)
    assert read == [dict(zip(header, row, strict=True)) for row in rows]


@given(body=PIECES, sizes=SIZES, at_once=AT_ONCE)
@example(body=b"a\n\xff\n1\n", sizes=[1], at_once=1)
def test_any_body_of_csv_is_read_row_by_row(body, sizes, at_once):
    rows = cells_of(body, sizes=sizes, at_once=at_once)
    assert repr(rows) == repr(cells_of(body))
    assert all(isinstance(row, dict) or issubclass(row[0], ServiceError) for row in rows)


COLUMNS = st.sampled_from(
    [
        st.integers(-(10**20), 10**20),
        st.floats(allow_nan=False, allow_infinity=False),
        NUMBERS,
        st.booleans(),
        TEXTS,
        st.lists(NUMBERS, max_size=3),
        st.dictionaries(st.sampled_from("ab"), st.booleans(), max_size=2),
    ]
)


@st.composite
def samples(draw):
    """Draw samples as in a notebook: objects with one type per column, or null."""
    # A header with NUL would be mistaken for UTF-16, and U+FEFF at its start for a byte order mark.
    of_names = TEXTS.map(lambda text: text.replace("\0", "0").lstrip("\ufeff"))
    names = draw(st.lists(of_names, min_size=1, max_size=3, unique=True))
    columns = {name: draw(COLUMNS) for name in names}
    may_be_none = {name: draw(st.booleans()) for name in names}
    return [
        {
            name: None if may_be_none[name] and draw(st.booleans()) else draw(column)
            for name, column in columns.items()
        }
        for _ in range(draw(st.integers(1, 4)))
    ]


def as_cell(value):
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def as_read(value, column):
    """Return the value read for a cell: an empty string is null in a nullable column."""
    return None if value == "" and None in column else value


@given(samples=samples())
def test_samples_survive_a_round_trip_through_csv(samples):
    names = list(samples[0])
    rows = [[as_cell(sample[name]) for name in names] for sample in samples]
    columns = {name: [sample[name] for sample in samples] for name in names}
    expected = [
        {name: as_read(value, columns[name]) for name, value in sample.items()}
        for sample in samples
    ]
    read = cells_of(as_csv([names, *rows]), describe_input(samples))
    assert repr(read) == repr(expected)


SCHEMAS = st.sampled_from(
    [
        *(True, {}, {"type": "null"}, {"type": "number"}, {"type": ["integer", "null"]}),
        *({"type": "boolean"}, {"type": "string"}, {"type": ["null", "string"]}, {"type": "array"}),
        *({"type": ["object", "number"]}, {"anyOf": [{"type": "array"}, {"type": "boolean"}]}),
    ]
)
CELLS = st.one_of(
    TEXTS,
    st.text(st.sampled_from("0123456789+-.eE _٣infaNtrue"), max_size=8),
    VALUES.map(json.dumps),
)


@given(schema=SCHEMAS, text=CELLS)
@example(schema={"type": "number"}, text="1" * 5000)
@example(schema=True, text="-0")
def test_any_cell_has_the_expected_type_or_is_rejected(schema, text):
    try:
        value = reader_of_text(schema)(text)
    except ValueError:
        return
    wanted = json.dumps(schema)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if schema in (True, {}):
        is_said = value is None if not text else str(value).casefold() == text.casefold()
        assert is_said or (is_number and value == json.loads(text))
    elif value is None:
        assert not text
    elif "string" in wanted:
        assert value == text
    elif is_number and ("number" in wanted or "integer" in wanted):
        assert value == Decimal(text.strip()) or value == float(text)
    elif isinstance(value, bool) and "boolean" in wanted:
        assert str(value).casefold() == text.casefold()
    else:
        assert "array" in wanted or "object" in wanted
        assert repr(value) == repr(json.loads(text))


PREDICTIONS = st.lists(st.one_of(VALUES, st.just("\ud800"), st.just(10**5000)), max_size=4)


def written(writer, predictions):
    """Return a writer's output for predictions, and the failed ones."""
    forms, failed = writer.forms(predictions)
    problems = {place: {"row": place} for place in failed}
    body = b"".join([writer.start(), *writer.rows(forms, problems), writer.end()])
    return body, problems


@given(predictions=PREDICTIONS)
def test_predictions_are_valid_json(predictions):
    body, problems = written(LineWriter(), predictions)
    expected = [
        {"error": problems[place]} if place in problems else {"prediction": prediction}
        for place, prediction in enumerate(predictions)
    ]
    lines = body.split(b"\n")
    assert lines.pop() == b""
    assert repr([json.loads(line) for line in lines]) == repr(expected)
    body, _problems = written(ListWriter(), predictions)
    assert repr(json.loads(body)) == repr(expected)


@given(parts=st.lists(PREDICTIONS, max_size=3))
def test_a_list_written_in_parts_is_one_list(parts):
    writer = ListWriter()
    body = writer.start()
    for part in parts:
        forms, failed = writer.forms(part)
        body += b"".join(writer.rows(forms, dict.fromkeys(failed, "failed")))
    body += writer.end()
    assert len(json.loads(body)) == sum(map(len, parts))


@given(predictions=PREDICTIONS)
def test_predictions_are_valid_csv(predictions):
    body, problems = written(CsvWriter(), predictions)
    header, *rows = csv.reader(io.StringIO(body.decode(), newline=""), strict=True)
    assert header == ["prediction", "error"]
    for place, (row, prediction) in enumerate(zip(rows, predictions, strict=True)):
        cell, error = row
        if place in problems:
            assert (cell, json.loads(error)) == ("", problems[place])
        elif prediction is None or (isinstance(prediction, str) and prediction != "\ud800"):
            assert row == [prediction or "", ""]
        else:
            assert (repr(json.loads(cell)), error) == (repr(prediction), "")
