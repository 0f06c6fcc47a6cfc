"""Reads and writes rows as JSON: one per line, or as the items of a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BufferedIOBase
from typing import Any

from nachlass_service.base.errors import NotJsonError, ServiceError, TooLargeError
from nachlass_service.batches.text import BOM, Gatherer, row_too_long
from nachlass_service.bundle.strict_json import encode
from nachlass_service.scoring.bounded_json import loads_bounded


class Lines:
    """Lines, each the JSON of a sample; None stands for a line that is too long."""

    def __init__(self, lines: Sequence[bytes | None], max_bytes: int) -> None:
        self._lines, self._max_bytes = lines, max_bytes

    def __len__(self) -> int:
        return len(self._lines)

    def samples(self) -> list[Any]:
        """Return the samples, with an error in the place of each bad line."""
        return [self._sample(line) for line in self._lines]

    def _sample(self, line: bytes | None) -> Any:
        if line is None:
            return row_too_long(self._max_bytes)
        try:
            return loads_bounded(line)
        except (NotJsonError, TooLargeError) as error:
            return error


class LineReader:
    """Reads NDJSON, ignoring empty lines."""

    rows_ahead = 0

    def __init__(self, body: BufferedIOBase, max_bytes: int) -> None:
        self._body, self._max_bytes = body, max_bytes
        self._gatherer = Gatherer(self._lines())

    def read(self, max_rows: int) -> Lines:
        """Return the next rows; empty at the end."""
        return Lines(self._gatherer.take(max_rows), self._max_bytes)

    def _lines(self) -> Iterator[tuple[bytes | None, int]]:
        """Yield each line, None if it is too long, and its size."""
        start = BOM
        while line := self._body.readline(self._max_bytes + 1):
            if len(line) > self._max_bytes and not line.endswith(b"\n"):
                self._skip_line()
                yield None, 0
            elif text := line.removeprefix(start).strip():
                yield text, len(text)
            start = b""

    def _skip_line(self) -> None:
        while (rest := self._body.readline(self._max_bytes)) and not rest.endswith(b"\n"):
            pass


def texts_of(predictions: Sequence[Any]) -> tuple[list[Any], dict[int, ServiceError]]:
    """Encode predictions as JSON; return errors for the others, by place."""
    texts: list[Any] = []
    failed: dict[int, ServiceError] = {}
    for place, prediction in enumerate(predictions):
        try:
            texts.append(encode(prediction))
        except ServiceError as error:
            failed[place] = error
            texts.append(b"null")
    return texts, failed


class LineWriter:
    """Writes a line for each row: {"prediction": ...}, or {"error": ...}."""

    separator, last = b"\n", b"\n"
    forms = staticmethod(texts_of)

    def start(self) -> bytes:
        """Return nothing."""
        return b""

    def end(self) -> bytes:
        """Return nothing."""
        return b""

    def rows(self, texts: Sequence[Any], problems: Mapping[int, Any]) -> Iterator[bytes]:
        """Yield the written rows."""
        if texts:
            yield (
                self.separator.join(
                    b'{"error": %b}' % encode(problems[place])
                    if place in problems
                    else b'{"prediction": %b}' % text
                    for place, text in enumerate(texts)
                )
                + self.last
            )


class ListWriter(LineWriter):
    """Writes one list with the same objects as LineWriter."""

    separator, last = b",\n", b""

    def __init__(self) -> None:
        self._is_first = True

    def start(self) -> bytes:
        """Return the start of the list."""
        return b"["

    def end(self) -> bytes:
        """Return the end of the list."""
        return b"]\n"

    def rows(self, texts: Sequence[Any], problems: Mapping[int, Any]) -> Iterator[bytes]:
        """Yield the written rows."""
        for text in super().rows(texts, problems):
            yield text if self._is_first else b",\n" + text
            self._is_first = False
