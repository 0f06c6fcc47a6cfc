"""Reads rows from Arrow record batches, in an IPC stream or a Parquet file."""

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
from nachlass_service.batches.guards.parquet_pages import inspect_pages
from nachlass_service.batches.optional_pyarrow import UNREADABLE, parquet, pyarrow, readable
from nachlass_service.batches.text import CHUNK_BYTES
from nachlass_service.bundle.manifest import Schema
from nachlass_service.scoring.stride import MAX_ROWS

PANDAS_INDEX = re.compile(r"__index_level_\d+__")
"""pandas' name for an unnamed index, which is not a column of the user."""


class Slice:
    """Some rows of a record batch."""

    def __init__(self, rows: Any, reader: ArrowReader) -> None:
        self._rows, self._reader = rows, reader

    def __len__(self) -> int:
        return len(self._rows)

    def samples(self) -> list[Any]:
        """Return the samples, with a BadRowError in the place of each without a JSON form."""
        return self._reader.samples(self._rows)


class OversizedRow:
    """A row that exceeds the size limit."""

    def __init__(self, size: int, max_bytes: int) -> None:
        self._message = (
            f"the decoded row has {size} bytes (limit {max_bytes}, "
            "set by S2I_MAX_BODY_BYTES): send smaller rows"
        )

    def __len__(self) -> int:
        return 1

    def samples(self) -> list[Any]:
        """Return a TooLargeError in the place of the sample."""
        return [TooLargeError(self._message)]


class ArrowReader:
    """Reads record batches with one schema; raises MalformedError if they do not fit the model.

    A decoded row has at most `max_bytes`. `rows` is the number of rows in all record
    batches, as far as it is known.
    """

    def __init__(
        self,
        batches: Iterator[Any],
        arrow_schema: Any,
        schema: Schema,
        max_bytes: int,
        rows: int = 0,
    ) -> None:
        types = pyarrow().types
        self._batches, self._max_bytes = batches, max_bytes
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
        """The declared rows, in total or in this record batch, that have not been read."""
        in_batch = self._batch.num_rows - self._at if self._batch else 0
        return max(self._rows_left, in_batch)

    def read(self, max_rows: int) -> Slice | OversizedRow:
        """Return the next rows of one record batch, within the size limit; empty at the end."""
        while self._batch is None or self._at == self._batch.num_rows:
            self._at, self._batch = 0, self._next()
            if self._batch is None:
                return Slice((), self)
        part = self._batch.slice(self._at, max_rows)
        rows, first_bytes = rows_within([part.column(n) for n in self._kept], CHUNK_BYTES)
        part = part.slice(0, rows)
        self._at += part.num_rows
        self._rows_left -= part.num_rows
        if first_bytes > self._max_bytes:
            return OversizedRow(first_bytes, self._max_bytes)
        return Slice(part, self)

    def samples(self, rows: Any) -> list[Any]:
        """Convert rows of a record batch to samples."""
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
        """Return the next validated record batch; None at the end."""
        with readable("the record batches"):
            batch = next(self._batches, None)
            if batch is not None:
                batch.validate(full=True)  # pyarrow would follow offsets outside the buffers
            return batch


def stream_reader(body: BufferedIOBase, schema: Schema, max_bytes: int) -> ArrowReader:
    """Open an Arrow IPC stream; the size limit applies to each record batch."""
    ipc = pyarrow().ipc
    with readable("the schema"):
        stream = ipc.open_stream(Messages(body, max_bytes))
        return ArrowReader(iter(stream), stream.schema, schema, max_bytes)


def parquet_reader(body: BufferedIOBase, schema: Schema, max_bytes: int) -> ArrowReader:
    """Open a Parquet file; the size limit applies to the file because its footer comes last."""
    module, library = parquet(), pyarrow()
    data = body.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise TooLargeError(
            f"the Parquet file is too large (limit {max_bytes} bytes, set by S2I_MAX_BODY_BYTES)"
        )
    content = inspect_pages(memoryview(data), max_bytes)
    rows = max(1, min(MAX_ROWS, max_bytes // max(1, content.row_bytes)))
    with readable("the Parquet file"):
        # Text stays dictionary-encoded: decoded, it may be much larger than the file.
        file = module.ParquetFile(library.BufferReader(data), read_dictionary=content.texts)
        batches = file.iter_batches(rows, use_threads=False)
        return ArrowReader(batches, file.schema_arrow, schema, max_bytes, file.metadata.num_rows)
