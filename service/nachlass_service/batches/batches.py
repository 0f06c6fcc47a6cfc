"""Answers batches: the flow of rows from the request body to the response.

Rows are read, scored and written in groups, so a batch may be larger than memory.
A problem before the first row is the response to the whole request; a later one
takes the place of a row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BufferedIOBase, BufferedReader
from typing import Any

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_options_header

from nachlass_service.base.errors import (
    MediaTypeError,
    NotAcceptableError,
    OverloadedError,
    ServiceError,
)
from nachlass_service.base.problem import Problem, problem_of_row
from nachlass_service.batches.body import Body
from nachlass_service.batches.formats import (
    FORMATS,
    Reader,
    Recorded,
    Writer,
    types_written,
)
from nachlass_service.batches.limits import Limits
from nachlass_service.batches.optional_pyarrow import PYARROW_REMEDY
from nachlass_service.scoring.request_body import media_type_of, reject_encoded
from nachlass_service.scoring.rows import Rows
from nachlass_service.scoring.scorer import BATCHES, Scorer

AHEAD_BYTES = 1 << 20
"""The bytes of a body that are read before its rows are scored: mostly the whole body."""
LOGGED = 10
"""The most failed rows of a batch in the log; the metrics count all of them."""


@dataclass(frozen=True)
class BatchRequest:
    """A request's headers and its body; `length` is the Content-Length, if any."""

    content_type: str
    content_encoding: str
    accept: MIMEAccept
    length: int | None
    read: Callable[[int], bytes]
    request_id: str


class Batches:
    """Answers batches with a scorer."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def answer(self, request: BatchRequest) -> tuple[str, Generator[bytes, None, None]]:
        """Return the media type and the pieces of the response; both may raise ServiceError.

        There is always a first piece; no problem of the whole request follows it.
        """
        reject_encoded(request.content_encoding)
        media_type = media_type_of(request.content_type)
        parameters = parse_options_header(request.content_type)[1]
        if parameters.get("header", "present").lower() != "present":
            raise MediaTypeError("a header row with the column names is needed")
        charset = parameters.get("charset", "utf-8")
        if charset.lower() not in ("utf-8", "utf8", "us-ascii"):
            raise MediaTypeError(f"the charset {charset[:40]} is not supported: send UTF-8")
        FORMATS[media_type].check()
        answered_as = _answered_as(media_type, request.accept)
        body = Body(request.read, request.length)
        return answered_as, self._pieces(media_type, answered_as, body, request.request_id)

    def _pieces(
        self, media_type: str, answered_as: str, body: Body, request_id: str
    ) -> Generator[bytes, None, None]:
        buffered = BufferedReader(body, AHEAD_BYTES)
        buffered.peek(1)  # a client that sends nothing must not count as a batch in progress
        room = self._scorer.room_for_batches
        if not room.acquire(blocking=False):
            raise OverloadedError(f"too many batches in progress (limit {BATCHES})", 1)
        try:
            limits = Limits(self._scorer.settings)
            reader = self._reader(media_type, buffered)
            writer = FORMATS[answered_as].writer(self._recorded)
            yield from Batch(self._scorer, reader, writer, limits, request_id).pieces(body)
        finally:
            room.release()

    def _reader(self, media_type: str, body: BufferedIOBase) -> Reader:
        make = FORMATS[media_type].reader
        assert make is not None
        schema = self._scorer.bundle.manifest.input.schema
        return make(body, schema, self._scorer.settings.max_body_bytes)

    @cached_property
    def _recorded(self) -> Recorded:
        return Recorded(self._scorer.bundle)


def _answered_as(media_type: str, accept: MIMEAccept) -> str:
    """Return the response's type: that of the request, unless the client prefers another."""
    offered = [media_type, *types_written()]
    if not accept:
        return media_type
    found = accept.best_match(offered)
    if found is None:
        raise NotAcceptableError(
            f"a batch response is available as {', '.join(dict.fromkeys(offered))}"
            + (
                ""
                if FORMATS.keys() <= {*offered}
                else f"; other types need pyarrow: {PYARROW_REMEDY}"
            )
        )
    return found


class Batch:
    """The state of one batch; `_row` is the next row to answer, counted from 0."""

    def __init__(
        self, scorer: Scorer, reader: Reader, writer: Writer, limits: Limits, request_id: str
    ) -> None:
        self._scorer, self._reader, self._writer = scorer, reader, writer
        self._limits, self._request_id = limits, request_id
        self._began_at = time.monotonic()
        self._stride = scorer.stride()
        self._row = 0
        self._failures = 0

    def pieces(self, body: Body) -> Iterator[bytes]:
        """Yield the response; raises ServiceError before the first piece if there is none.

        Many clients read nothing before they have sent everything, and would wait
        forever if the service stopped reading. So the response is held back until
        the body is complete, as long as it is not larger than the body limit.
        """
        held, size = bytearray(self._writer.start()), self._scorer.settings.max_body_bytes
        for piece in self._rows():
            held += piece
            if held and (body.is_whole or len(held) > size):
                yield bytes(held)
                held.clear()
        held += self._writer.end()
        yield bytes(held)
        seconds = time.monotonic() - self._began_at
        self._scorer.metrics.count_batch(seconds)
        self._scorer.log_if_slow(self._request_id, seconds, self._row)

    def _rows(self) -> Iterator[bytes]:
        """Yield the written rows; an error that ends the batch early is the last one."""
        try:
            while rows := self._read():
                yield from self._scored(rows)
        except ServiceError as error:
            if self._row == 0:
                raise
            yield from self._written([error])

    def _read(self) -> Rows:
        """Return the next rows, empty at the end; TooLargeError beyond the row or time limit."""
        remaining = self._limits.max_rows - self._row
        rows = self._reader.read(max(1, min(self._stride.rows, remaining)))
        if rows:
            self._limits.check_rows(self._row + len(rows) + self._reader.rows_ahead)
            self._limits.check_time()
        return rows

    def _scored(self, rows: Rows) -> Iterator[bytes]:
        """Score and write rows; raises TooLargeError between two turns beyond the time limit."""
        size, ends_at = 0, self._row + len(rows)
        for outcomes in self._scorer.score(rows, self._stride):
            for piece in self._written(outcomes):
                size += len(piece)
                yield piece
            if self._row < ends_at:
                self._limits.check_time()
        self._stride.note_size(len(rows), size)

    def _written(self, outcomes: Sequence[Any]) -> Iterator[bytes]:
        """Write and count rows."""
        failed = {n: one for n, one in enumerate(outcomes) if isinstance(one, ServiceError)}
        predictions = [None if n in failed else one for n, one in enumerate(outcomes)]
        forms, unwritable = self._writer.forms(predictions)
        failed |= unwritable
        good = [one for n, one in enumerate(predictions) if n not in failed]
        self._scorer.metrics.count_predictions(good)
        problems = {n: self._problem(error, self._row + n) for n, error in failed.items()}
        self._row += len(outcomes)
        yield from self._writer.rows(forms, problems)

    def _problem(self, error: ServiceError, row: int) -> Problem:
        """Count and log a row without a prediction, and return its problem document."""
        self._failures += 1
        self._scorer.reject(error, self._request_id, row=row, logged=self._failures <= LOGGED)
        return problem_of_row(error, self._request_id, row)
