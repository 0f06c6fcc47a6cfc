"""Writes predictions as Arrow record batches, in an IPC stream or a Parquet file."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nachlass_service.base.errors import ServiceError, UnserialisableError
from nachlass_service.batches.json_lines import texts_of
from nachlass_service.batches.optional_pyarrow import UNREADABLE, parquet, pyarrow
from nachlass_service.bundle.strict_json import encode

EXACT = 1 << 53
"""A float represents all integers up to this one exactly."""
MAX_LABELS = 1 << 16
"""The most labels in the dictionary before it is reset to those of the build."""
GROUP_ROWS = 1 << 16
"""The rows of a row group in Parquet."""


class Form:
    """The column for predictions; its type is inferred from those of the samples.

    Text is dictionary-encoded; `labels` begin the dictionary. Without samples, or if their
    predictions have several types, the column has JSON text.
    """

    def __init__(self, recorded: Sequence[Any], labels: Sequence[str]) -> None:
        self._library = pyarrow()
        self._labels = list(labels)
        self._codes: dict[str, int] = {}
        self.type = self._type_of([value for value in recorded if value is not None])

    def _type_of(self, recorded: Sequence[Any]) -> Any:
        library = self._library
        kinds = set(map(type, recorded))
        if kinds == {str}:
            return library.dictionary(library.int32(), library.string())
        if kinds == {bool}:
            return library.bool_()
        if kinds and kinds <= {int, float}:
            found = library.int64() if kinds == {int} else library.float64()
            return found if self._holds(recorded, found) else library.string()
        if kinds <= {list} or kinds <= {dict}:
            try:
                found = library.infer_type(recorded) if kinds else library.string()
            except UNREADABLE:
                return library.string()
            if self._holds(recorded, found):
                return found
        return library.string()

    @property
    def is_json(self) -> bool:
        """Whether predictions are written as JSON."""
        return bool(self.type == self._library.string())

    def failed(self, predictions: Sequence[Any]) -> dict[int, ServiceError]:
        """Return errors for the predictions that do not fit the column, by place."""
        if self.is_json or self._fits(predictions):
            return {}
        error = UnserialisableError(
            f"the prediction does not fit {self.type}, the type of the samples' predictions: "
            "request JSON"
        )
        return {n: error for n, value in enumerate(predictions) if not self._fits([value])}

    def _fits(self, predictions: Sequence[Any]) -> bool:
        """Return whether all predictions fit the column."""
        types = self._library.types
        if types.is_dictionary(self.type):
            return all(v is None or (type(v) is str and _is_utf8(v)) for v in predictions)
        if types.is_boolean(self.type):
            return all(v is None or type(v) is bool for v in predictions)
        if types.is_integer(self.type):
            return all(v is None or (type(v) is int and _is_int64(v)) for v in predictions)
        if types.is_floating(self.type):
            return all(
                v is None or type(v) is float or (type(v) is int and abs(v) <= EXACT)
                for v in predictions
            )
        return self._holds(predictions, self.type)

    def _holds(self, predictions: Sequence[Any], arrow_type: Any) -> bool:
        """Return whether predictions survive a round trip through an Arrow type."""
        try:
            array = self._library.array(predictions, arrow_type)
            return bool(array.to_pylist() == list(predictions))
        except UNREADABLE:
            return False

    def array(self, values: Sequence[Any]) -> Any:
        """Convert fitting values to a column."""
        library = self._library
        if not library.types.is_dictionary(self.type):
            return library.array(values, self.type)
        if len(self._codes) > MAX_LABELS or not self._codes:
            self._codes = {label: code for code, label in enumerate(self._labels)}
        codes = [None if v is None else self._codes.setdefault(v, len(self._codes)) for v in values]
        return library.DictionaryArray.from_arrays(
            library.array(codes, library.int32()), library.array(self._codes, library.string())
        )


def _is_int64(value: int) -> bool:
    return -(1 << 63) <= value < 1 << 63


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


class Sink(io.RawIOBase):
    """A file object that collects written data until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        """Return true."""
        return True

    def write(self, data: Any) -> int:
        """Add data."""
        self._pieces.append(bytes(data))
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        """Return the number of bytes written."""
        return self._size

    def take(self) -> bytes:
        """Return and remove the data written since the last call."""
        data, self._pieces = b"".join(self._pieces), []
        return data


class ArrowWriter:
    """Writes an IPC stream with two columns: `prediction`, and `error`, a problem as JSON."""

    def __init__(self, form: Form) -> None:
        library = pyarrow()
        self._library, self._form = library, form
        self.schema = library.schema(
            [library.field("prediction", form.type), library.field("error", library.string())]
        )
        self._sink = Sink()
        self._writer = self._open(self._sink)

    def _open(self, sink: Sink) -> Any:
        return self._library.ipc.new_stream(
            sink,
            self.schema,
            options=self._library.ipc.IpcWriteOptions(emit_dictionary_deltas=True),
        )

    def start(self) -> bytes:
        """Return the bytes before the rows."""
        return self._sink.take()

    def end(self) -> bytes:
        """Return the bytes after the rows."""
        self._writer.close()
        return self._sink.take()

    def forms(self, predictions: Sequence[Any]) -> tuple[list[Any], dict[int, ServiceError]]:
        """Return predictions as values of the column, and errors for the others, by place."""
        if self._form.is_json:
            texts, failed = texts_of(predictions)
            return [text.decode("utf-8") for text in texts], failed
        return list(predictions), self._form.failed(predictions)

    def rows(self, values: Sequence[Any], problems: Mapping[int, Any]) -> Iterator[bytes]:
        """Yield the rows, as far as the library has written them."""
        kept = [None if n in problems else value for n, value in enumerate(values)]
        errors: list[str | None] = [None] * len(kept)
        for place, problem in problems.items():
            errors[place] = encode(problem).decode("utf-8")
        columns = [self._form.array(kept), self._library.array(errors, self._library.string())]
        self._write(self._library.record_batch(columns, schema=self.schema))
        yield self._sink.take()

    def _write(self, batch: Any) -> None:
        self._writer.write_batch(batch)


class ParquetWriter(ArrowWriter):
    """Writes the same columns to a Parquet file, one row group at a time."""

    def _open(self, sink: Sink) -> Any:
        self._waiting: list[Any] = []
        self._rows = 0
        return parquet().ParquetWriter(sink, self.schema)

    def end(self) -> bytes:
        """Return the last rows and the footer."""
        self._write_group()
        return super().end()

    def _write(self, batch: Any) -> None:
        self._waiting.append(batch)
        self._rows += batch.num_rows
        if self._rows >= GROUP_ROWS:
            self._write_group()

    def _write_group(self) -> None:
        if self._waiting:
            table = self._library.Table.from_batches(self._waiting, self.schema)
            self._writer.write_table(table.unify_dictionaries(), GROUP_ROWS)
        self._waiting, self._rows = [], 0
