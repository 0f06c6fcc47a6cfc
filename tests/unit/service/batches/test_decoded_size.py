"""The decoded size, not the encoded one, limits the rows that are read at once."""

import datetime
import io
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nachlass_service.base.errors import MalformedError, TooLargeError
from nachlass_service.batches.arrow import parquet_reader, stream_reader
from nachlass_service.batches.csv import CsvReader
from nachlass_service.batches.decoded_size import VALUE_BYTES, rows_within, sizes_of
from nachlass_service.batches.text import CHUNK_BYTES

MAX_BYTES = 1 << 24
LONG = "x" * (CHUNK_BYTES // 4)


def decoded_bytes(value):
    """Compute the size of a value from the value itself."""
    if isinstance(value, list):
        return VALUE_BYTES + sum(map(decoded_bytes, value))
    if isinstance(value, dict):
        return VALUE_BYTES + sum(map(decoded_bytes, value.values()))
    return VALUE_BYTES + (len(value.encode()) if isinstance(value, str) else 0)


MOMENT = datetime.datetime.fromisoformat("2024-05-06T07:08:09")
COLUMNS = {
    "numbers": pa.array([1.5, None, 2.0, 3.0]),
    "nulls": pa.nulls(4),
    "moments": pa.array([MOMENT] * 4),
    "decimals": pa.array([Decimal("1.5")] * 4),
    "texts": pa.array(["a", "ä", None, "xyz"]),
    "large texts": pa.array(["a", "ä", None, "xyz"], pa.large_string()),
    "dictionary": pa.array(["a", "long" * 9, None, "a"]).dictionary_encode(),
    "dictionary of numbers": pa.array([1, 2, None, 1]).dictionary_encode(),
    "dictionary of a dictionary": pa.DictionaryArray.from_arrays(
        [1, 0, None, 1], pa.array(["a", "long"]).dictionary_encode()
    ),
    "dictionary of lists": pa.DictionaryArray.from_arrays([1, 0, 1, 1], pa.array([[1, 2], [3]])),
    "lists": pa.array([[1, 2], [], [3], [4, 5, 6]]),
    "lists of texts": pa.array([["a", "bc"], [], ["def"], ["", "g"]]),
    "large lists": pa.array([["a", "bc"], [], ["def"], []], pa.large_list(pa.string())),
    "pairs": pa.array([[1, 2]] * 4, pa.list_(pa.int8(), 2)),
    "pairs of texts": pa.array(
        [["a", "bc"], ["", ""], ["d", "e"], ["", "f"]], pa.list_(pa.utf8(), 2)
    ),
    "objects": pa.array([{"a": 1, "t": "x"}, {"a": 2, "t": "yz"}, {"a": 3, "t": ""}, {}]),
    "lists of objects": pa.array([[{"t": "x"}, {"t": "yz"}], [], [{"t": "a"}], [{"t": "b"}]]),
    "objects of lists": pa.array([{"l": ["a"]}, {"l": []}, {"l": ["b", "cd"]}, {"l": ["e"]}]),
}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize(("start", "count"), [(0, 4), (1, 3), (2, 1), (3, 1), (4, 0)])
def test_computed_sizes_match_the_decoded_values_even_of_a_slice(name, start, count):
    part = COLUMNS[name].slice(start, count)
    sizes = sizes_of(part)
    found = [sizes] * count if isinstance(sizes, int) else sizes.to_pylist()
    assert found == list(map(decoded_bytes, part.to_pylist()))


def test_rows_are_counted_up_to_a_size():
    texts, numbers = pa.array(["a" * 92, "b" * 192, "c"]), pa.array([1, 2, 3])
    assert rows_within([texts, numbers], 107) == (1, 108)
    assert rows_within([texts, numbers], 315) == (1, 108)
    assert rows_within([texts, numbers], 316) == (2, 108)
    assert rows_within([texts], 1 << 20) == (3, 100)
    assert rows_within([numbers], 24) == (3, 8)
    assert rows_within([], 24)[1] == 0


# Input from hostile clients.


def arrow_of(*batches):
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, batches[0].schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return stream_reader(io.BytesIO(sink.getvalue()), True, MAX_BYTES), sink.getvalue()


def parquet_of(table, **options):
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", **options)
    return parquet_reader(io.BytesIO(sink.getvalue()), True, MAX_BYTES), sink.getvalue()


def labels(text, rows):
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), [text])


def slices_of(reader, most_rows=1 << 15, most_slices=50):
    """Return the samples of the first slices."""
    found = []
    while len(found) < most_slices and (rows := reader.read(most_rows)):
        samples = rows.samples()
        assert len(samples) == len(rows)
        found.append(samples)
    return found


def test_a_long_dictionary_entry_limits_the_rows_scored_at_once():
    short = pa.record_batch([labels("a", 100_000)], ["x"])
    long = pa.record_batch([labels(LONG, 100_000)], ["x"])
    reader, data = arrow_of(short, long)
    assert len(data) < 2000
    sizes = [sum(map(decoded_bytes, samples)) for samples in slices_of(reader)]
    assert max(sizes) <= CHUNK_BYTES + 3 * VALUE_BYTES * (1 << 15)
    reader, data = parquet_of(pa.table({"x": labels(LONG, 100_000)}))
    assert len(data) < 3000
    assert {len(samples) for samples in slices_of(reader)} == {3}


@pytest.mark.parametrize(
    "column",
    [
        pa.nulls(20_000),
        pa.array([True] * 20_000),
        pa.array([1] * 20_000, pa.int8()),
        pa.array([[None] * 2] * 20_000),
        pa.array([{"a": None, "b": True}] * 20_000),
        pa.array([[1, 2]] * 20_000, pa.list_(pa.int8(), 2)),
    ],
    ids=lambda column: str(column.type),
)
def test_many_small_columns_limit_the_values_read_at_once(column):
    batch = pa.record_batch([column] * 30, [f"x{n}" for n in range(30)])
    for samples in slices_of(arrow_of(batch)[0], most_slices=3):
        assert sum(map(decoded_bytes, samples)) <= CHUNK_BYTES + VALUE_BYTES * len(samples)


def test_many_empty_cells_of_csv_limit_the_rows_read_at_once():
    columns = 10_000
    header = ",".join(map(str, range(columns))).encode()
    rows = (b"," * (columns - 1) + b"\n") * 200
    reader = CsvReader(io.BytesIO(header + b"\n" + rows), True, 1 << 24)
    for samples in slices_of(reader):
        assert sum(map(len, samples)) <= CHUNK_BYTES // VALUE_BYTES + columns


@pytest.mark.parametrize("write", [arrow_of, parquet_of])
def test_a_row_that_is_too_large_when_decoded_is_one_bad_row(write):
    text = "x" * (MAX_BYTES // 3)
    columns = {f"x{n}": pa.array(["a", text, "b"]).dictionary_encode() for n in range(4)}
    table = pa.table(columns)
    reader, data = write(table if write is parquet_of else table.to_batches()[0])
    assert len(data) < 20_000
    one, bad, two = [sample for samples in slices_of(reader) for sample in samples]
    assert (one["x3"], two["x0"]) == ("a", "b")
    assert isinstance(bad, TooLargeError)
    size = 4 * (len(text) + VALUE_BYTES)
    assert str(bad).startswith(
        f"the decoded row has {size} bytes (limit {MAX_BYTES}, set by S2I_MAX_BODY_BYTES)"
    )


def test_large_binary_entries_of_parquet_limit_the_rows_read_at_once():
    """Limit the rows read at once by the largest entry, because entries are decoded on reading."""
    wide = pa.array([b"x" * 100_000] * 5000, pa.binary(100_000))
    sink = io.BytesIO()
    pq.write_table(pa.table({"__index_level_0__": wide, "x": range(5000)}), sink)
    before = pa.total_allocated_bytes()
    reader = parquet_reader(io.BytesIO(sink.getvalue()), True, MAX_BYTES)
    assert len(reader.read(1 << 15)) <= MAX_BYTES // 100_000
    assert pa.total_allocated_bytes() - before < 4 * MAX_BYTES


@pytest.mark.parametrize(
    "arrow_type",
    [
        pa.run_end_encoded(pa.int32(), pa.string()),
        *(getattr(pa, name)() for name in ("string_view", "binary_view") if hasattr(pa, name)),
        *(
            getattr(pa, name)(pa.string())
            for name in ("list_view", "large_list_view")
            if hasattr(pa, name)
        ),
        pa.list_(pa.dictionary(pa.int32(), pa.string())),
        pa.struct([("a", pa.dictionary(pa.int32(), pa.string()))]),
    ],
    ids=str,
)
def test_other_types_that_expand_are_rejected_by_their_schema(arrow_type):
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, pa.schema([("x", arrow_type)])):
        pass
    with pytest.raises(MalformedError, match="has no JSON form"):
        stream_reader(io.BytesIO(sink.getvalue()), True, MAX_BYTES)
