"""Rows in Arrow and Parquet, read and written."""

import datetime
import io
import json
import struct
import sys
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nachlass_service.base.errors import (
    BadRowError,
    MalformedError,
    MediaTypeError,
    TooLargeError,
    UnserialisableError,
)
from nachlass_service.batches import arrow_values, optional_pyarrow
from nachlass_service.batches.arrow import parquet_reader, stream_reader
from nachlass_service.batches.arrow_out import ArrowWriter, Form, ParquetWriter
from nachlass_service.batches.guards import parquet_pages

MAX_BYTES = 1 << 20


def stream_of(schema, *batches, options=None):
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue()


def samples_of(reader):
    found = []
    while rows := reader.read(2):
        found += rows.samples()
    return found


def read(data, schema=True):
    return samples_of(stream_reader(io.BytesIO(data), schema, MAX_BYTES))


def values(array):
    """Return the converted values of a column."""
    batch = pa.record_batch([array], names=["x"])
    return [
        sample if isinstance(sample, BadRowError) else sample["x"]
        for sample in read(stream_of(batch.schema, batch))
    ]


MOMENT = datetime.datetime.fromisoformat("2024-05-06T07:08:09.123456")


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([1, None, 2**63 - 1]), [1, None, 2**63 - 1]),
        (pa.array([2**64 - 1], pa.uint64()), [2**64 - 1]),
        (pa.array([1.5, None, float("nan"), float("-inf")]), [1.5, None, None, None]),
        (pa.array([np.float16(0.5)], pa.float16()), [0.5]),
        (pa.array([True, None]), [True, None]),
        (pa.nulls(3), [None] * 3),
        (pa.array(["ä", "", None], pa.large_string()), ["ä", "", None]),
        (pa.array([Decimal("1.50"), Decimal("2.00")]), [1.5, 2]),
        (pa.array([MOMENT]), ["2024-05-06T07:08:09.123456"]),
        (pa.array([1], pa.timestamp("ns")), ["1970-01-01T00:00:00"]),
        (pa.array([0], pa.timestamp("s", "UTC")), ["1970-01-01T00:00:00+00:00"]),
        (pa.array([MOMENT.date()]), ["2024-05-06"]),
        (pa.array([1], pa.time64("ns")), ["00:00:00"]),
        (pa.array([1500], pa.duration("ms")), [1.5]),
        (pa.array([{"a": [float("nan")], "b": None}]), [{"a": [None], "b": None}]),
        (pa.array([[1, 2], [3, 4]], pa.list_(pa.int8(), 2)), [[1, 2], [3, 4]]),
        (pa.array(["a", "b", None, "a"]).dictionary_encode(), ["a", "b", None, "a"]),
        (pa.array([1.5, float("nan")]).dictionary_encode(), [1.5, None]),
    ],
)
def test_values_are_converted_to_their_json_form(array, expected):
    assert values(array) == expected


@pytest.mark.parametrize(
    "array",
    [
        pa.array([[None], [], None, [None] * 3, [None]]),
        pa.array([[None] * 2] * 5, pa.list_(pa.null(), 2)),
        pa.array([{"a": [None], "b": n} for n in range(5)]),
        pa.array([[{"a": [None], "b": "x"}]] * 5),
    ],
    ids=lambda array: str(array.type),
)
def test_lists_of_nulls_are_read_in_parts(array):
    assert values(array) == array.to_pylist()


def test_a_value_that_python_cannot_represent_is_one_bad_row():
    good, bad = values(pa.array([0, 2**62], pa.timestamp("s")))
    assert good == "1970-01-01T00:00:00"
    assert isinstance(bad, BadRowError)
    assert bad.pointer == "/x"


@pytest.mark.parametrize(
    "arrow_type",
    [
        pa.binary(),
        pa.map_(pa.string(), pa.int8()),
        pa.list_(pa.binary()),
        pa.list_(pa.dictionary(pa.int8(), pa.string())),
        pa.run_end_encoded(pa.int32(), pa.int8()),
        pa.month_day_nano_interval(),
        pa.struct([("a", pa.int8()), ("a", pa.int8())]),
        # Missing in pyarrow 14.
        *(getattr(pa, name)() for name in ("string_view", "uuid") if hasattr(pa, name)),
    ],
    ids=str,
)
def test_types_without_a_json_form_are_rejected(arrow_type):
    with pytest.raises(MalformedError, match="the column 'x'"):
        read(stream_of(pa.schema([("x", arrow_type)])))


def test_batches_without_rows_or_columns_are_read():
    schema = pa.schema([("x", pa.int64())])
    empty, one = (pa.record_batch([pa.array(v, pa.int64())], schema) for v in ([], [1]))
    assert read(stream_of(schema)) == []
    assert read(stream_of(schema, empty, one, empty, one)) == [{"x": 1}] * 2
    none = pa.RecordBatch.from_struct_array(pa.array([{}] * 3, pa.struct([])))
    assert read(stream_of(none.schema, none)) == [{}] * 3


def test_a_replaced_dictionary_is_read_and_a_delta_is_rejected():
    batches = [
        pa.record_batch([pa.DictionaryArray.from_arrays([0, len(labels) - 1], labels)], ["x"])
        for labels in (["a", "b"], ["a", "b", "c"], ["d"])
    ]
    for deltas in (True, False):
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=deltas)
        data = stream_of(batches[0].schema, *batches, options=options)
        if deltas:  # their decoding takes quadratic time
            with pytest.raises(MalformedError, match="delta dictionaries"):
                read(data)
        else:
            assert [row["x"] for row in read(data)] == list("abacdd")


def test_used_dictionary_entries_are_decoded_once(monkeypatch):
    labels = pa.array([datetime.date(2024, 1, day) for day in range(1, 29)])
    decoded = []
    convert = arrow_values.convert
    monkeypatch.setattr(
        arrow_values, "convert", lambda value: decoded.append(value) or convert(value)
    )
    batch = pa.record_batch([pa.DictionaryArray.from_arrays([3, 4] * 500, labels)], ["x"])
    found = read(stream_of(batch.schema, batch, batch))
    assert [row["x"] for row in found] == ["2024-01-04", "2024-01-05"] * 1000
    assert decoded == [labels[3].as_py(), labels[4].as_py()]


def test_columns_added_by_pandas_are_left_out():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": ["a", "b"]}, index=[7, 9]).astype({"x": "category"})
    batch = pa.RecordBatch.from_pandas(frame)
    assert "__index_level_0__" in batch.schema.names
    assert read(stream_of(batch.schema, batch)) == [{"x": "a"}, {"x": "b"}]


def test_samples_can_be_lists_or_scalars():
    numbers = {"type": "array", "items": {"type": "number"}}
    batch = pa.record_batch([pa.array([[1.5, 2]])], ["x"])
    assert read(stream_of(batch.schema, batch), numbers) == [[1.5, 2]]
    batch = pa.record_batch([pa.array([1.5]), pa.array([2])], ["x", "x"])
    assert read(stream_of(batch.schema, batch), numbers) == [[1.5, 2]]
    batch = pa.record_batch([pa.array(["a"])], ["x"])
    assert read(stream_of(batch.schema, batch), {"type": "string"}) == ["a"]


def test_parquet_is_read_and_its_size_is_limited():
    table = pa.table({"x": pa.array(["a", "b", "a"]).dictionary_encode(), "n": [1, None, 3]})
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=2)
    data = sink.getvalue()
    assert samples_of(parquet_reader(io.BytesIO(data), True, MAX_BYTES)) == table.to_pylist()
    with pytest.raises(TooLargeError):
        parquet_reader(io.BytesIO(data), True, len(data) - 1)


@pytest.mark.parametrize(
    "options",
    [
        *({}, {"compression": "zstd"}, {"use_dictionary": False}, {"data_page_version": "2.0"}),
        {"row_group_size": 100, "data_page_size": 100},
    ],
    ids=str,
)
def test_variants_of_parquet_are_read(options):
    table = pa.table(
        {
            "a": [1, None, 3] * 500,
            "s": ["x", "yy", None] * 500,
            "c": pa.array(["p", "q", None] * 500).dictionary_encode(),
            "l": [[1, 2], [], None] * 500,
            "o": [{"u": 1.5, "v": "k"}, None, {"u": None, "v": ""}] * 500,
            "t": [["a"], None, ["b", "c"]] * 500,
            "n": [f"row {number}" for number in range(1500)],
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    reader = parquet_reader(io.BytesIO(sink.getvalue()), True, MAX_BYTES)
    assert samples_of(reader) == table.to_pylist()
    sink = io.BytesIO()
    pq.write_table(table.slice(0, 0), sink, **options)
    assert samples_of(parquet_reader(io.BytesIO(sink.getvalue()), True, MAX_BYTES)) == []


# Input from hostile clients.

X = pa.record_batch([pa.array(["abc", "def"])], names=["x"])


def test_every_flipped_byte_is_survived():
    compressed = pa.ipc.IpcWriteOptions(compression="zstd")
    for data in (stream_of(X.schema, X), stream_of(X.schema, X, options=compressed)):
        for place in range(0, len(data), 3):
            broken = bytearray(data)
            broken[place] ^= 0xFF
            try:
                samples = read(bytes(broken))
            except (MalformedError, TooLargeError):
                continue
            assert len(samples) <= MAX_BYTES


def test_invalid_offsets_are_rejected():
    data = bytearray(stream_of(X.schema, X))
    place = data.index(struct.pack("<iii", 0, 3, 6))
    data[place + 8 : place + 12] = struct.pack("<i", 1 << 30)
    with pytest.raises(MalformedError):
        read(bytes(data))


def test_lists_of_values_without_bytes_are_limited():
    lists = pa.ListArray.from_arrays([0, MAX_BYTES], pa.nulls(MAX_BYTES))
    batch = pa.record_batch([lists], ["x"])
    with pytest.raises(TooLargeError):
        read(stream_of(batch.schema, batch))


def test_the_size_of_a_page_header_is_limited(monkeypatch):
    monkeypatch.setattr(parquet_pages, "MAX_FOOTER_BYTES", 1 << 16)
    sink = io.BytesIO()
    pq.write_table(pa.table({"x": [1.0]}), sink)
    data = sink.getvalue()
    assert len(samples_of(parquet_reader(io.BytesIO(data), True, 1 << 24))) == 1
    # The header of the first page starts with a list as long as the file may be.
    long = b"\x19\xf3" + b"\xff\xff\xff\x07" + b"\0" * 100_000
    with pytest.raises(MalformedError):
        parquet_reader(io.BytesIO(data[:4] + long + data[4:]), True, 1 << 24)


def test_the_declared_size_of_a_message_is_limited():
    nulls = pa.record_batch([pa.nulls(MAX_BYTES + 1)], names=["x"])
    with pytest.raises(TooLargeError):
        read(stream_of(nulls.schema, nulls))
    zeros = pa.record_batch([pa.array([0.0] * MAX_BYTES)], names=["x"])
    for compression in ("zstd", "lz4"):
        options = pa.ipc.IpcWriteOptions(compression=compression)
        data = stream_of(zeros.schema, zeros, options=options)
        assert len(data) < MAX_BYTES / 10
        with pytest.raises(TooLargeError):
            read(data)
    with pytest.raises(TooLargeError):
        read(b"\xff\xff\xff\xff" + struct.pack("<i", MAX_BYTES + 1))
    with pytest.raises(MalformedError):
        read(b"\xff\xff\xff\xff" + struct.pack("<i", -8))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["x" * 2 * MAX_BYTES], "a page is too large"),
        ([[None] * 10_000] * 200, "may be too large"),
        ([["x" * 20_000] * 1000] * 2, "may be too large"),
    ],
    ids=["page", "nulls", "texts"],
)
def test_parquet_that_expands_too_much_is_rejected(column, message):
    sink = io.BytesIO()
    table = pa.table({"x": pa.array(column)})
    options = {"use_dictionary": message != "a page is too large", "write_statistics": False}
    pq.write_table(table, sink, compression="zstd", **options)
    assert len(sink.getvalue()) < MAX_BYTES / 10
    with pytest.raises(TooLargeError, match=message):
        parquet_reader(io.BytesIO(sink.getvalue()), True, MAX_BYTES)


def test_parquet_that_expands_is_read_row_by_row():
    wide = "x" * (MAX_BYTES // 2)
    labels = pa.DictionaryArray.from_arrays(pa.array([0] * 5000, pa.int32()), [wide])
    for table, options in (
        (pa.table({"x": labels}), {}),
        (pa.table({"x": [wide] * 20}), {"use_dictionary": False, "data_page_size": 1}),
    ):
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd", write_batch_size=1, **options)
        before = pa.total_allocated_bytes()
        reader = parquet_reader(io.BytesIO(sink.getvalue()), True, MAX_BYTES)
        rows = reader.read(100)
        assert rows.samples()[0] == {"x": wide}
        assert pa.total_allocated_bytes() - before < 8 * MAX_BYTES


def test_an_endless_integer_is_rejected():
    footer = b"\x15" + b"\xff" * 3_000_000
    data = b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1"
    with pytest.raises(MalformedError, match="more than 64 bits"):
        parquet_reader(io.BytesIO(data), True, 1 << 24)


def test_parquet_with_delta_byte_arrays_is_rejected():
    sink = io.BytesIO()
    options = {"use_dictionary": False, "column_encoding": {"x": "DELTA_BYTE_ARRAY"}}
    pq.write_table(pa.table({"x": ["a" * 1000] * 9}), sink, **options)
    with pytest.raises(MalformedError, match="DELTA_BYTE_ARRAY is not supported"):
        parquet_reader(io.BytesIO(sink.getvalue()), True, MAX_BYTES)


@pytest.mark.parametrize("version", [None, "14.0.0", "9.0.0"])
def test_a_missing_or_unsafe_pyarrow_is_rejected(monkeypatch, version):
    if version is None:
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    else:
        monkeypatch.setattr(pa, "__version__", version)
    with pytest.raises(MediaTypeError, match=version or "S2I_SERVING_REQUIREMENTS"):
        optional_pyarrow.pyarrow()


# Predictions.


def written(recorded, predictions, writer=ArrowWriter, labels=()):
    """Return a writer's table of predictions, and the indexes of failed ones."""
    made = writer(Form(recorded, labels))
    pieces = [made.start()]
    forms, failed = made.forms(predictions)
    assert all(isinstance(error, UnserialisableError) for error in failed.values())
    for _ in range(2):
        pieces += made.rows(forms, {place: {"row": place} for place in failed})
    data = b"".join([*pieces, made.end()])
    table = (
        pq.read_table(io.BytesIO(data))
        if writer is ParquetWriter
        else pa.ipc.open_stream(data).read_all()
    )
    assert table.num_rows == 2 * len(predictions)
    return table.slice(0, len(predictions)), list(failed)


@pytest.mark.parametrize("writer", [ArrowWriter, ParquetWriter])
@pytest.mark.parametrize(
    ("recorded", "arrow_type", "good", "bad"),
    [
        ([1, 2], pa.int64(), [5, None, -(2**63)], [1.5, "a", True, 2**63]),
        ([1.5, 2], pa.float64(), [1.5, 2, None, 2**53], [2**53 + 1, "a", True, [1]]),
        (["a"], pa.dictionary(pa.int32(), pa.string()), ["a", "new", None], [1, "\ud800", {}]),
        ([True], pa.bool_(), [False, None], [1, "a"]),
        ([[0.5, 0.5]], pa.list_(pa.float64()), [[1.5], [], None], [["a"], 5, {"a": 1}]),
        (
            [{"label": "a", "p": 0.5}],
            pa.struct([("label", pa.string()), ("p", pa.float64())]),
            [{"label": "b", "p": 1.0}, None],
            [{"label": "b"}, {"label": "b", "p": 1.0, "more": 1}],
        ),
    ],
)
def test_predictions_have_the_type_of_the_samples(recorded, arrow_type, good, bad, writer):
    table, failed = written(recorded, [*good, *bad], writer)
    assert table.schema.field("prediction").type == arrow_type
    assert table["prediction"].to_pylist() == [*good, *[None] * len(bad)]
    assert failed == list(range(len(good), len(good) + len(bad)))
    errors = [error and json.loads(error) for error in table["error"].to_pylist()]
    assert errors == [*[None] * len(good), *({"row": place} for place in failed)]


@pytest.mark.parametrize("recorded", [[], [1, "a"], [[1], ["a"]], [2**70], [None]])
def test_predictions_of_mixed_types_are_json(recorded):
    predictions = [1, "a", [1], None, {"a": 2**70}]
    table, failed = written(recorded, predictions)
    assert list(map(json.loads, table["prediction"].to_pylist())) == predictions
    assert failed == []


def test_the_dictionary_starts_with_the_known_labels():
    table, _failed = written(["a", "b"], ["b", "c"], labels=["a", "b"])
    assert table["prediction"].chunk(0).dictionary.to_pylist() == ["a", "b", "c"]
