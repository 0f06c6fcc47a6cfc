"""Rows of JSON lines and of CSV, read and written."""

import io
import json

import pytest

from nachlass_service.base.errors import (
    BadRowError,
    MalformedError,
    MediaTypeError,
    NotJsonError,
    ServiceError,
    SlowBodyError,
    TooLargeError,
    UnserialisableError,
)
from nachlass_service.batches.csv import MAX_RECORD_BYTES, CsvReader, CsvWriter
from nachlass_service.batches.json_lines import LineReader, LineWriter, ListWriter

MAX_BYTES = 100
BOM = b"\xef\xbb\xbf"


class Breaking(io.RawIOBase):
    """A body that ends with an error."""

    def __init__(self, data):
        self.data = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        if size := self.data.readinto(buffer):
            return size
        raise SlowBodyError("gone")


def all_of(reader, most_rows=3):
    """Return all samples of a reader, and errors as their types."""
    found = []
    while rows := reader.read(most_rows):
        assert len(rows) <= most_rows
        samples = rows.samples()
        assert len(samples) == len(rows)
        found += samples
    return [type(one) if isinstance(one, ServiceError) else one for one in found]


def lines(body):
    return all_of(LineReader(io.BufferedReader(io.BytesIO(body)), MAX_BYTES))


def cells(body, schema=True):
    return all_of(CsvReader(io.BufferedReader(io.BytesIO(body)), schema, MAX_BYTES))


def test_json_lines_are_read():
    assert lines(b"") == lines(b"\n \r\n") == lines(BOM) == []
    body = BOM + b'1\r\n\n"a"\n  [2]\n{"b": null}\nnull'
    assert lines(body) == [1, "a", [2], {"b": None}, None]
    assert lines(b"9007199254740993\n" * 4) == [9007199254740993] * 4
    bad = b'[1\nNaN\n1 2\n"\xff"\n' + b"[" * 99 + b"\n" + "\u2028".encode()
    assert lines(bad) == [NotJsonError] * 6


def test_a_line_over_the_limit_is_one_bad_row():
    long = b'"' + b"x" * 1000 + b'"'
    assert lines(b"1\n" + long + b"\n2\n" + long) == [1, TooLargeError, 2, TooLargeError]
    fits = b'"' + b"x" * (MAX_BYTES - 2) + b'"'
    assert lines(fits + b"\n" + fits) == [json.loads(fits)] * 2


def test_rows_before_an_interrupted_body_are_read():
    reader = LineReader(io.BufferedReader(Breaking(b"1\n2\n3")), MAX_BYTES)
    assert reader.read(10).samples() == [1, 2]
    for _ in range(2):
        with pytest.raises(SlowBodyError):
            reader.read(10)
    reader = CsvReader(io.BufferedReader(Breaking(b"a\n1\n2\n3")), True, MAX_BYTES)
    assert reader.read(10).samples() == [{"a": 1}, {"a": 2}]
    with pytest.raises(SlowBodyError):
        reader.read(10)


def test_samples_are_decoded_again_on_each_call():
    rows = LineReader(io.BufferedReader(io.BytesIO(b"[1]\n")), MAX_BYTES).read(1)
    rows.samples()[0].append("spoilt")
    assert rows.samples() == [[1]]


def test_csv_cells_are_read():
    assert cells(b"a,b\n") == cells(b"a,b") == []
    assert cells(BOM + b'"a",b\r\n1,"x, ""y""\r\nz"\r\n\r\n,\n') == [
        {"a": 1, "b": 'x, "y"\r\nz'},
        {"a": None, "b": None},
    ]
    assert cells('a\nä€😀\n""\n'.encode(), {"type": "string"}) == ["ä€😀", ""]
    assert cells(b"x,y\n1,2\n", {"type": "array", "items": {"type": "number"}}) == [[1, 2]]


def test_invalid_csv_records_are_rejected():
    assert cells(b'a,b\n1\n1,2,3\n"x"y,1\n\xff,1\n1,2\r3\n1,2\n') == [
        *[BadRowError] * 5,
        {"a": 1, "b": 2},
    ]
    assert cells(b'a\n1\n"open\n1') == [{"a": 1}, BadRowError]
    with pytest.raises(MalformedError, match="the body is empty"):
        cells(b"")
    with pytest.raises(MalformedError, match="this is not CSV"):
        cells(b'"a"b\n')
    with pytest.raises(TooLargeError):
        cells(b"x" * 1000)
    reader = CsvReader(io.BufferedReader(io.BytesIO(b'a\n1\n"' + b"x\n" * 99)), True, MAX_BYTES)
    assert reader.read(10).samples() == [{"a": 1}]
    with pytest.raises(TooLargeError):
        reader.read(10)


@pytest.mark.parametrize(
    ("row", "message", "pointer"),
    [
        (b"1", "the row has 1 cells, the header 2", ""),
        (b'"x"y,1', "this is not CSV: ',' expected after '\"'", ""),
        (b"1,\xff", "not UTF-8", "/b~1c"),
        (b"one,2", "'one' is not of type integer", "/a"),
        (b"1," + b"x" * 50, f"{'x' * 40!r} is not of type number", "/b~1c"),
    ],
)
def test_an_invalid_row_of_csv_is_explained(row, message, pointer):
    schema = {"properties": {"a": {"type": ["integer", "null"]}, "b/c": {"type": "number"}}}
    reader = CsvReader(io.BytesIO(b"a,b/c\n1,2\n" + row + b"\n"), schema, MAX_BYTES)
    good, bad = reader.read(10).samples()
    assert good == {"a": 1, "b/c": 2}
    assert (type(bad), str(bad), bad.pointer) == (BadRowError, message, pointer)


def test_columns_of_an_array_are_identified_by_position():
    schema = {"type": "array", "items": {"type": "null"}}
    [bad] = CsvReader(io.BytesIO(b"x,y\n,2\n"), schema, MAX_BYTES).read(1).samples()
    assert (str(bad), bad.pointer) == ("'2' is not of type null", "/1")


def test_the_length_of_a_csv_row_is_limited():
    header = b"a\n"
    fits = b"x" * (MAX_BYTES - 1) + b"\n"
    assert cells(header + fits * 2) == [{"a": fits[:-1].decode()}] * 2
    body = io.BytesIO(header + b"x" * 10 * MAX_BYTES)
    reader = CsvReader(body, True, MAX_BYTES)
    with pytest.raises(TooLargeError, match=rf"^the row is too long \(limit {MAX_BYTES} bytes"):
        reader.read(1)
    assert body.tell() <= len(header) + MAX_BYTES + 1


@pytest.mark.parametrize("row", [b"x" * (MAX_RECORD_BYTES + 1), b"," * (MAX_RECORD_BYTES // 8)])
def test_a_csv_row_that_would_block_others_is_rejected(row):
    for many in (b"a\n" + row, row):
        with pytest.raises(TooLargeError, match="send such rows as JSON lines"):
            CsvReader(io.BytesIO(many), True, 1 << 24).read(1)
    fits = b"x" * (MAX_RECORD_BYTES - 1)
    [sample] = CsvReader(io.BytesIO(b"a\n" + fits), True, 1 << 24).read(1).samples()
    assert sample == {"a": fits.decode()}


def test_a_line_over_the_limit_is_explained():
    reader = LineReader(io.BytesIO(b"1\n" + b"2" * 1000), MAX_BYTES)
    _one, long = reader.read(2).samples()
    message = f"the row is too long (limit {MAX_BYTES} bytes, set by S2I_MAX_BODY_BYTES)"
    assert str(long) == message


PREDICTIONS = [1, 1.5, "a", None, True, {"a": [1]}, "ä", "\ud800", 10**5000]


def written(writer, predictions=PREDICTIONS):
    """Return a writer's output for predictions, with failures in their places."""
    forms, failed = writer.forms(predictions)
    assert all(isinstance(error, UnserialisableError) for error in failed.values())
    problems = {place: {"row": place} for place in failed}
    return writer.start() + b"".join(writer.rows(forms, problems)) + writer.end()


def test_predictions_are_written_as_json():
    *rows, failed = map(json.loads, written(LineWriter()).splitlines())
    assert [row["prediction"] for row in rows] == PREDICTIONS[:-1]
    assert failed == {"error": {"row": 8}}
    assert json.loads(written(ListWriter())) == [*rows, failed]
    assert written(LineWriter(), []) == b""
    assert json.loads(written(ListWriter(), [])) == []


def test_predictions_are_written_as_csv():
    assert written(CsvWriter(), PREDICTIONS).decode().split("\r\n") == [
        *("prediction,error", "1,", "1.5,", "a,", ",", "true,", '"{""a"": [1]}",', "ä,"),
        *('"""\\ud800""",', ',"{""row"": 8}"', ""),
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_csv_in_another_encoding_is_rejected(encoding):
    body = io.BytesIO("text\na\n".encode(encoding))
    with pytest.raises(MediaTypeError, match="send UTF-8"):
        CsvReader(body, True, MAX_BYTES)
