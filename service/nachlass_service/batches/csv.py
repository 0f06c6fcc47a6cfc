"""Reads and writes rows as CSV (RFC 4180): UTF-8, commas, a header row with names."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from io import BufferedIOBase
from typing import Any

from nachlass_service.base.errors import (
    BadRowError,
    MalformedError,
    MediaTypeError,
    ServiceError,
    TooLargeError,
)
from nachlass_service.batches.columns import Columns, reader_of_text
from nachlass_service.batches.json_lines import texts_of
from nachlass_service.batches.text import BOM, Gatherer, row_too_long
from nachlass_service.bundle.manifest import Schema
from nachlass_service.bundle.strict_json import encode

CELL_BYTES = 8
"""The least memory of a parsed cell: a reference to its text."""
MAX_RECORD_BYTES = 4 << 20
"""The most bytes of a record, including its cells: parsing one blocks all other threads."""

Record = list[str] | str
"""The cells of a row, or an error message."""


class Records:
    """Records, each of which is a sample."""

    def __init__(self, records: Sequence[Record], reader: CsvReader) -> None:
        self._records, self._reader = records, reader

    def __len__(self) -> int:
        return len(self._records)

    def samples(self) -> list[Any]:
        """Return the samples, with an error in the place of each bad one."""
        return [self._reader.sample(record) for record in self._records]


class CsvReader:
    """Reads CSV; raises MalformedError without a header that fits the model."""

    rows_ahead = 0

    def __init__(self, body: BufferedIOBase, schema: Schema, max_bytes: int) -> None:
        self._body, self._max_bytes = body, min(max_bytes, MAX_RECORD_BYTES)
        self._record_bytes = 0
        csv.field_size_limit(max(csv.field_size_limit(), max_bytes))
        self._reader = csv.reader(self._lines(), strict=True)
        header = self._record()
        if not isinstance(header, list):
            raise MalformedError(f"the header cannot be read: {header or 'the body is empty'}")
        self._width = len(header)
        self._gatherer = Gatherer(self._records())
        self._columns = Columns(schema, header)
        self._cell_readers = [reader_of_text(schema) for schema in self._columns.schemas]

    def read(self, max_rows: int) -> Records:
        """Return the next rows; empty at the end."""
        return Records(self._gatherer.take(max_rows), self)

    def sample(self, record: Record) -> Any:
        """Convert a record to a sample, a BadRowError or a TooLargeError."""
        if isinstance(record, str):
            return BadRowError(record)
        if len(record) != self._width:
            return BadRowError(f"the row has {len(record)} cells, the header {self._width}")
        cells = []
        for text, read, pointer in zip(
            record, self._cell_readers, self._columns.pointers, strict=True
        ):
            try:
                text.encode("utf-8")
                cells.append(read(text))
            except UnicodeEncodeError:
                return BadRowError("not UTF-8", pointer)
            except TooLargeError as error:
                return error
            except ValueError as error:
                return BadRowError(str(error), pointer)
        return self._columns.sample(cells)

    def _records(self) -> Iterator[tuple[Record, int]]:
        """Yield each record with its size in memory."""
        while (record := self._record()) is not None:
            yield record, self._record_bytes

    def _record(self) -> Record | None:
        """Return the next record that is not an empty line; None at the end."""
        self._record_bytes = 0
        try:
            for record in self._reader:
                if record:
                    return record
        except csv.Error as error:
            return f"this is not CSV: {error}"
        return None

    def _too_long(self) -> TooLargeError:
        """Return the error for a record that exceeds the limit."""
        if self._max_bytes < MAX_RECORD_BYTES:
            return row_too_long(self._max_bytes)
        return TooLargeError(
            f"the row is too large (limit {MAX_RECORD_BYTES} bytes, with {CELL_BYTES} for each "
            "cell): send such rows as JSON lines"
        )

    def _lines(self) -> Iterator[str]:
        """Yield the body's lines; bytes that are not UTF-8 become surrogates."""
        is_first = True
        while line := self._body.readline(self._max_bytes + 1):
            if is_first:
                if b"\0" in line:  # UTF-16 has a NUL in each ASCII letter
                    raise MediaTypeError("the header is in UTF-16, or binary: send UTF-8")
                line, is_first = line.removeprefix(BOM), False
            self._record_bytes += len(line) + CELL_BYTES * line.count(b",")
            if self._record_bytes > self._max_bytes:
                raise self._too_long()
            yield line.decode("utf-8", "surrogateescape")


class CsvWriter:
    """Writes two columns: `prediction`, which is plain text, a number or JSON, and `error`."""

    def start(self) -> bytes:
        """Return the header."""
        return b"prediction,error\r\n"

    def end(self) -> bytes:
        """Return nothing."""
        return b""

    def forms(self, predictions: Sequence[Any]) -> tuple[list[Any], dict[int, ServiceError]]:
        """Return predictions as cells, and errors for the others, by place."""
        texts, failed = texts_of(predictions)
        return [
            _cell(prediction, text) for prediction, text in zip(predictions, texts, strict=True)
        ], failed

    def rows(self, cells: Sequence[Any], problems: Mapping[int, Any]) -> Iterator[bytes]:
        """Yield the written rows."""
        written = io.StringIO()
        writer = csv.writer(written)
        for place, cell in enumerate(cells):
            if place in problems:
                writer.writerow(["", encode(problems[place]).decode("utf-8")])
            else:
                writer.writerow([cell, ""])
        yield written.getvalue().encode("utf-8")


def _cell(prediction: Any, text: bytes) -> str:
    """Return a prediction as a cell: text as it is, null as an empty cell, the rest as JSON."""
    if prediction is None:
        return ""
    if isinstance(prediction, str):
        try:
            prediction.encode("utf-8")
        except UnicodeEncodeError:  # a lone surrogate: legal only as a JSON escape
            return json.dumps(prediction)
        return prediction
    return text.decode("utf-8")
