"""Rows as Arrow record batches, in an IPC stream or in a Parquet file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BufferedIOBase
from typing import Any

from nachlass_service.base.errors import BadRowError, TooLargeError
from nachlass_service.batches.arrow_values import value_or_error, values_of
from nachlass_service.batches.columns import Columns
from nachlass_service.batches.decoded_size import rows_within
from nachlass_service.batches.guards.arrow_messages import Messages
from nachlass_service.batches.guards.parquet_pages import look_at
from nachlass_service.batches.optional_pyarrow import UNREADABLE, parquet, pyarrow, readable
from nachlass_service.batches.text import CHUNK_BYTES
from nachlass_service.bundle.manifest import Schema
from nachlass_service.scoring.stride import MOST_ROWS

PANDAS_INDEX = re.compile(r"__index_level_\d+__")
"""What pandas calls an index that has no name: no column of the user's."""


class Slice:
    """Some rows of a record batch."""

    def __init__(self, rows: Any, reader: ArrowReader) -> None:
        self._rows, self._reader = rows, reader

    def __len__(self) -> int:
        return len(self._rows)

    def samples(self) -> list[Any]:
        """The samples; a BadRowError in the place of one that has no JSON form."""
        return self._reader.samples(self._rows)


class OversizedRow:
    """A row that takes more bytes than a row may."""

    def __init__(self, size: int, most_bytes: int) -> None:
        self._said = (
            f"the row has {size} bytes when it is decoded (limit {most_bytes}, "
            "set by S2I_MAX_BODY_BYTES): send less in a row"
        )

    def __len__(self) -> int:
        return 1

    def samples(self) -> list[Any]:
        """A TooLargeError in the place of the sample."""
        return [TooLargeError(self._said)]


class ArrowReader:
    """Reads record batches of one schema; MalformedError when they do not fit the model.

    A row has at most `most_bytes` when it is decoded. `rows` is how many there are in
    all record batches, as far as that is known.
    """

    def __init__(
        self,
        batches: Iterator[Any],
        arrow_schema: Any,
        schema: Schema,
        most_bytes: int,
        rows: int = 0,
    ) -> None:
        types = pyarrow().types
        self._batches, self._most_bytes = batches, most_bytes
        self._kept = [
            number
            for number, name in enumerate(arrow_schema.names)
            if not PANDAS_INDEX.fullmatch(name)
        ]
        fields = [arrow_schema.field(number) for number in self._kept]
        lists = [types.is_list(f.type) or types.is_fixed_size_list(f.type) for f in fields]
        self._columns = Columns(schema, [field.name for field in fields], lists)
        self._values = [values_of(field) for field in fields]
        self._batch: Any = None
        self._at = 0
        self._rows_left = rows

    @property
    def rows_ahead(self) -> int:
        """The rows that are declared, in all or in this record batch, and were not read."""
        in_batch = self._batch.num_rows - self._at if self._batch else 0
        return max(self._rows_left, in_batch)

    def read(self, most_rows: int) -> Slice | OversizedRow:
        """The next rows, all of one record batch, as many as may be decoded; none at the end."""
        while self._batch is None or self._at == self._batch.num_rows:
            self._at, self._batch = 0, self._next()
            if self._batch is None:
                return Slice((), self)
        part = self._batch.slice(self._at, most_rows)
        rows, first_bytes = rows_within([part.column(n) for n in self._kept], CHUNK_BYTES)
        part = part.slice(0, rows)
        self._at += part.num_rows
        self._rows_left -= part.num_rows
        if first_bytes > self._most_bytes:
            return OversizedRow(first_bytes, self._most_bytes)
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
                    value_or_error(values, column.slice(place, 1), pointer)
                    for place in range(len(rows))
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
        return ArrowReader(iter(stream), stream.schema, schema, most_bytes)


def parquet_reader(body: BufferedIOBase, schema: Schema, most_bytes: int) -> ArrowReader:
    """Reads a Parquet file, whose footer comes last: all of it is held, and so has a limit."""
    module, library = parquet(), pyarrow()
    data = body.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise TooLargeError(
            f"the Parquet file is too large (limit {most_bytes} bytes, set by S2I_MAX_BODY_BYTES)"
        )
    content = look_at(memoryview(data), most_bytes)
    rows = max(1, min(MOST_ROWS, most_bytes // max(1, content.row_bytes)))
    with readable("the Parquet file"):
        # Text stays as it is encoded: decoded, it may be much larger than the file.
        file = module.ParquetFile(library.BufferReader(data), read_dictionary=content.texts)
        batches = file.iter_batches(rows, use_threads=False)
        return ArrowReader(batches, file.schema_arrow, schema, most_bytes, file.metadata.num_rows)
