"""The batch formats: FORMATS has one entry for each media type.

To add a format, write a module with its reader and its writer, and add an entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from io import BufferedIOBase
from typing import Any, Protocol

from nachlass_service.base.errors import ServiceError
from nachlass_service.batches.arrow import parquet_reader, stream_reader
from nachlass_service.batches.arrow_out import ArrowWriter, Form, ParquetWriter
from nachlass_service.batches.csv import CsvReader, CsvWriter
from nachlass_service.batches.json_lines import LineReader, LineWriter, ListWriter
from nachlass_service.batches.optional_pyarrow import pyarrow
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.manifest import Schema
from nachlass_service.scoring.request_body import media_type_of
from nachlass_service.scoring.rows import Rows


class Reader(Protocol):
    """Reads rows in groups."""

    @property
    def rows_ahead(self) -> int:
        """The least number of rows that have not been read."""

    def read(self, max_rows: int) -> Rows:
        """Return the next rows, empty at the end; ServiceError if the rest cannot be read."""


class Writer(Protocol):
    """Writes predictions in groups."""

    def start(self) -> bytes:
        """Return the bytes before the rows."""

    def forms(self, predictions: Sequence[Any]) -> tuple[list[Any], dict[int, ServiceError]]:
        """Convert predictions for `rows`; return errors for the others, by place."""

    def rows(self, forms: Sequence[Any], problems: Mapping[int, Any]) -> Iterator[bytes]:
        """Yield the written rows; those with problems have no prediction."""

    def end(self) -> bytes:
        """Return the bytes after the rows."""


class Recorded:
    """The predictions that the build recorded, and their labels; read on first use."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    @cached_property
    def predictions(self) -> list[Any]:
        """The predictions of the samples."""
        return [prediction for _sample, prediction in self._bundle.samples()]

    @property
    def labels(self) -> Sequence[str]:
        """The labels of predictions that are plain text."""
        return self._bundle.manifest.prediction.labels.get("", ())


@dataclass(frozen=True)
class Format:
    """The reader and the writer of a media type.

    `reader` takes the body, the JSON Schema of a sample, and the maximum size in bytes
    of a unit that must fit in memory: a row, a record batch, a Parquet file. It is None
    for a format of responses only. Both may raise ServiceError. `request` and `response` say
    how bodies hold rows.
    """

    reader: Callable[[BufferedIOBase, Schema, int], Reader] | None
    writer: Callable[[Recorded], Writer]
    request: str
    response: str
    needs_pyarrow: bool = False

    @property
    def is_available(self) -> bool:
        """Whether its library is installed: pyarrow is optional."""
        return not self.needs_pyarrow or find_spec("pyarrow") is not None

    def check(self) -> None:
        """Raise MediaTypeError unless its library is installed and safe."""
        if self.needs_pyarrow:
            pyarrow()


def _read_lines(body: BufferedIOBase, _schema: Schema, max_bytes: int) -> LineReader:
    return LineReader(body, max_bytes)


def _write_list(_recorded: Recorded) -> ListWriter:
    return ListWriter()


def _write_lines(_recorded: Recorded) -> LineWriter:
    return LineWriter()


def _write_csv(_recorded: Recorded) -> CsvWriter:
    return CsvWriter()


def _write_arrow(recorded: Recorded) -> ArrowWriter:
    return ArrowWriter(Form(recorded.predictions, recorded.labels))


def _write_parquet(recorded: Recorded) -> ParquetWriter:
    return ParquetWriter(Form(recorded.predictions, recorded.labels))


JSON_LINES = ("application/x-ndjson", "application/jsonl")
IN_LINES = "A line for each row, with the JSON of one sample."
OUT_LINES = "A line for each row, with the JSON of an object that has `prediction` or `error`."
IN_TABLE = "A row for each sample, with a column for each field or entry, or for a plain value."
OUT_TABLE = (
    "A row for each row of the request, with the columns `prediction` and `error`, which is a "
    "problem document as JSON."
)
OUT_CSV = f"{OUT_TABLE} Predictions that are lists or objects are JSON."

FORMATS: dict[str, Format] = {
    "application/json": Format(None, _write_list, "", "A list with an object for each row."),
    **dict.fromkeys(JSON_LINES, Format(_read_lines, _write_lines, IN_LINES, OUT_LINES)),
    "text/csv": Format(CsvReader, _write_csv, f"{IN_TABLE} The first line names them.", OUT_CSV),
    "application/vnd.apache.arrow.stream": Format(
        stream_reader, _write_arrow, IN_TABLE, OUT_TABLE, needs_pyarrow=True
    ),
    "application/vnd.apache.parquet": Format(
        parquet_reader, _write_parquet, IN_TABLE, OUT_TABLE, needs_pyarrow=True
    ),
}
"""The formats by media type; among types with equal client preference, the first one is used."""


def is_batch(content_type: str) -> bool:
    """Return whether a request with this content type is a batch."""
    found = FORMATS.get(media_type_of(content_type))
    return found is not None and found.reader is not None


def types_taken() -> list[str]:
    """Return the media types of batch requests that are available."""
    return [name for name in types_written() if FORMATS[name].reader]


def types_written() -> list[str]:
    """Return the media types of batch responses that are available."""
    return [name for name, found in FORMATS.items() if found.is_available]
