"""Rows as Arrow record batches, in an IPC stream or in a Parquet file.

pyarrow is optional: it is imported when the first batch asks for it.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from typing import Any

from nachlass_service.base.errors import (
    BadRowError,
    MalformedError,
    MediaTypeError,
    TooLargeError,
)
from nachlass_service.batches.columns import Columns
from nachlass_service.batches.guards.arrow_messages import Messages
from nachlass_service.batches.guards.parquet_pages import look_at
from nachlass_service.batches.text import CHUNK_BYTES
from nachlass_service.bundle.jsonable import convert
from nachlass_service.bundle.manifest import Schema

SAFE_VERSION = [14, 0, 1]
"""Before, reading a file could unpickle an extension type of its (CVE-2023-47248)."""
ADD_IT = "name it in the notebook's `requirements`, or in S2I_SERVING_REQUIREMENTS"
READ_ROWS = 1 << 12
PANDAS_INDEX = re.compile(r"__index_level_\d+__")
"""What pandas calls an index that has no name: no column of the user's."""

JSON_TYPES = ("null", "boolean", "integer", "string", "large_string")
CONVERTED = ("floating", "decimal", "date", "time32")
"""Types with a form in JSON, by the names of pyarrow.types' predicates."""
UNREADABLE = (ArithmeticError, LookupError, NotImplementedError, OSError, TypeError, ValueError)
"""What pyarrow raises: its exceptions are kinds of these."""

Values = Callable[[Any], list[Any]]
"""Turns a column of a slice into what JSON has."""


def pyarrow() -> Any:
    """The library; MediaTypeError when it is not there, or not safe."""
    try:
        found = importlib.import_module("pyarrow")
    except ImportError:
        raise MediaTypeError(f"the model's environment has no pyarrow: {ADD_IT}") from None
    if [int(part) for part in re.findall(r"\d+", found.__version__)[:3]] < SAFE_VERSION:
        raise MediaTypeError(
            f"pyarrow {found.__version__} may unpickle what a client sends: require 14.0.1 or later"
        )
    return found


def parquet() -> Any:
    """The part of pyarrow for Parquet; MediaTypeError as above."""
    pyarrow()
    return importlib.import_module("pyarrow.parquet")


class Slice:
    """Some rows of a record batch."""

    def __init__(self, rows: Any, reader: ArrowReader) -> None:
        self._rows, self._reader = rows, reader

    def __len__(self) -> int:
        return len(self._rows)

    def samples(self) -> list[Any]:
        """The samples; a BadRowError in the place of one that has no JSON form."""
        return self._reader.samples(self._rows)


class ArrowReader:
    """Reads record batches of one schema; MalformedError when they do not fit the model.

    `rows` is how many there are in all of them, as far as that is known.
    """

    def __init__(
        self, batches: Iterator[Any], arrow_schema: Any, schema: Schema, rows: int = 0
    ) -> None:
        types = pyarrow().types
        self._batches = batches
        self._kept = [
            number
            for number, name in enumerate(arrow_schema.names)
            if not PANDAS_INDEX.fullmatch(name)
        ]
        fields = [arrow_schema.field(number) for number in self._kept]
        lists = [types.is_list(f.type) or types.is_fixed_size_list(f.type) for f in fields]
        self._columns = Columns(schema, [field.name for field in fields], lists)
        self._values = [_values_of(field) for field in fields]
        self._batch: Any = None
        self._at = 0
        self._rows_left = rows

    @property
    def rows_ahead(self) -> int:
        """The rows that are declared, in all or in this record batch, and were not read."""
        in_batch = self._batch.num_rows - self._at if self._batch else 0
        return max(self._rows_left, in_batch)

    def read(self, most_rows: int) -> Slice:
        """The next rows, all of one record batch; none at the end."""
        while self._batch is None or self._at == self._batch.num_rows:
            self._at, self._batch = 0, self._next()
            if self._batch is None:
                return Slice((), self)
        row_bytes = self._batch.nbytes / self._batch.num_rows
        rows = max(1, min(most_rows, int(CHUNK_BYTES / max(1, row_bytes))))
        part = self._batch.slice(self._at, rows)
        self._at += part.num_rows
        self._rows_left -= part.num_rows
        return Slice(part, self)

    def samples(self, rows: Any) -> list[Any]:
        """The samples that rows of a record batch are."""
        if not self._kept:
            return [self._columns.sample(())] * len(rows)
        columns: list[list[Any]] = []
        bad: dict[int, BadRowError] = {}
        for number, values, pointer in zip(
            self._kept, self._values, self._columns.pointers, strict=True
        ):
            column = rows.column(number)
            try:
                columns.append(values(column))
            except UNREADABLE:
                read = [
                    _value(values, column.slice(place, 1), pointer) for place in range(len(rows))
                ]
                bad |= {n: value for n, value in enumerate(read) if isinstance(value, BadRowError)}
                columns.append(read)
        samples: list[Any] = list(map(self._columns.sample, zip(*columns, strict=True)))
        for place, error in bad.items():
            samples[place] = error
        return samples

    def _next(self) -> Any:
        """The next record batch that is whole; None at the end."""
        with readable("the record batches"):
            batch = next(self._batches, None)
            if batch is not None:
                batch.validate(full=True)  # offsets that lead elsewhere would be followed
            return batch


def stream_reader(body: BufferedIOBase, schema: Schema, most_bytes: int) -> ArrowReader:
    """Reads an Arrow IPC stream; each record batch has a limit, the stream has none."""
    ipc = pyarrow().ipc
    with readable("the schema"):
        stream = ipc.open_stream(Messages(body, most_bytes))
        return ArrowReader(iter(stream), stream.schema, schema)


def parquet_reader(body: BufferedIOBase, schema: Schema, most_bytes: int) -> ArrowReader:
    """Reads a Parquet file, whose footer comes last: all of it is held, and so has a limit."""
    module, library = parquet(), pyarrow()
    data = body.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise TooLargeError(f"at most {most_bytes} bytes are taken as Parquet")
    content = look_at(memoryview(data), most_bytes)
    rows = max(1, min(READ_ROWS, most_bytes // max(1, content.row_bytes)))
    with readable("the Parquet file"):
        # Text stays as it is encoded: decoded, it may be much larger than the file.
        file = module.ParquetFile(library.BufferReader(data), read_dictionary=content.texts)
        batches = file.iter_batches(rows, use_threads=False)
        return ArrowReader(batches, file.schema_arrow, schema, file.metadata.num_rows)


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Say as a MalformedError that pyarrow cannot read something."""
    try:
        yield
    except UNREADABLE as error:
        said = str(error).partition("\n")[0][:200]
        raise MalformedError(f"{what} cannot be read: {said}") from None


def _value(values: Values, cell: Any, pointer: str) -> Any:
    """The value of one cell, or a BadRowError."""
    try:
        return values(cell)[0]
    except UNREADABLE as error:
        return BadRowError(f"the value has no JSON form: {error}", pointer)


def _values_of(field: Any) -> Values:
    """How a column becomes values, as JSON would have them."""
    types = pyarrow().types
    if types.is_dictionary(field.type):
        return _from_dictionary(_values_of(field.with_type(field.type.value_type)))
    if types.is_floating(field.type):
        return _finite
    if any(getattr(types, f"is_{name}")(field.type) for name in JSON_TYPES):
        return lambda column: list(column.to_pylist())
    plain = _plain_type(field.type, field.name)
    return lambda column: [convert(value) for value in column.cast(plain, safe=False).to_pylist()]


def _finite(column: Any) -> list[Any]:
    """Floats; those that JSON has not are null."""
    values = column.to_pylist()
    if column.null_count or not math.isfinite(sum(values)):
        return [None if v is None or not math.isfinite(v) else v for v in values]
    return list(values)


def _from_dictionary(values: Values) -> Values:
    """Decodes each entry of a dictionary once, however many batches it is for."""
    decoded: tuple[Any, list[Any]] | None = None  # the dictionary is kept, so that none is mistaken

    def read(column: Any) -> list[Any]:
        nonlocal decoded
        dictionary = column.dictionary
        if decoded is None or _address(decoded[0]) != _address(dictionary):
            decoded = dictionary, values(dictionary)
        entries = decoded[1]
        return [None if code is None else entries[code] for code in column.indices.to_pylist()]

    return read


def _address(array: Any) -> tuple[int, ...]:
    """Where an array's values are."""
    return (len(array), array.offset, *(b.address if b else 0 for b in array.buffers()))


def _plain_type(arrow_type: Any, name: str) -> Any:
    """The type without nanoseconds, whose values Python has; MalformedError when there is none."""
    library = pyarrow()
    types = library.types

    def plain(inside: Any) -> Any:
        if types.is_timestamp(inside):
            return library.timestamp("us", inside.tz) if inside.unit == "ns" else inside
        if types.is_time64(inside):
            return library.time64("us")
        if types.is_duration(inside):
            return library.duration("us") if inside.unit == "ns" else inside
        if types.is_struct(inside):
            fields = [inside.field(number) for number in range(inside.num_fields)]
            if len({field.name for field in fields}) < len(fields):
                raise MalformedError(f"the column {name!r} has two fields of one name")
            return library.struct([field.with_type(plain(field.type)) for field in fields])
        if types.is_large_list(inside):
            return library.large_list(plain(inside.value_type))
        if types.is_fixed_size_list(inside):
            return library.list_(plain(inside.value_type), inside.list_size)
        if types.is_list(inside):
            return library.list_(plain(inside.value_type))
        if any(getattr(types, f"is_{kind}")(inside) for kind in (*JSON_TYPES, *CONVERTED)):
            return inside
        raise MalformedError(f"the column {name[:80]!r} is {inside}, which has no form in JSON")

    return plain(arrow_type)
