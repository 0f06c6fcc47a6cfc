"""Answers requests without HTTP: read, validate, predict, count, log.

All rules are here; app.py and the HTTP front only carry bytes and headers.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from logging import WARNING
from typing import Any, NamedTuple

from nachlass_service.base import log
from nachlass_service.base.errors import REJECTED, OverloadedError, ServiceError, TimeLimitError
from nachlass_service.base.settings import Settings
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.failure import log_failure
from nachlass_service.bundle.model import Model
from nachlass_service.bundle.strict_json import encode
from nachlass_service.metrics.metrics import FeatureBins, Metrics
from nachlass_service.scoring.rejection_log import RejectionLog
from nachlass_service.scoring.request_body import PredictRequest, Requests, read_body
from nachlass_service.scoring.rows import PredictionList, Rows, RowScorer
from nachlass_service.scoring.sample_schema import SampleSchema
from nachlass_service.scoring.stride import BATCH_TURN_S, Stride
from nachlass_service.scoring.warm_up import score_few

BATCH_FAREWELL_S = 20
"""How long batches go on after a worker was told to end: less than it is waited for."""
BATCHES = 4
"""Batches that a worker answers at once."""

Run = Callable[[Callable[[], Any]], Any]
"""Does a piece of work where predictions are made; what it raises is raised."""


Steps = Iterator[tuple[list[Any], list[FeatureBins]]]


class Scored(NamedTuple):
    """A prediction as JSON; the predictions in it, and the bins of its input, to be counted."""

    text: bytes
    predictions: Sequence[Any]
    inputs: FeatureBins


class Scorer:
    """A model, and what it takes to answer with it; `start` is called after the fork."""

    def __init__(self, bundle: Bundle, model: Model, metrics: Metrics, settings: Settings) -> None:
        self.bundle = bundle
        self.metrics = metrics
        self.settings = settings
        self.why_not_ready: str | None = "the model has not been warmed up yet"
        self.room_for_batches = threading.Semaphore(BATCHES)
        self._stride = Stride(settings.predict_timeout_s)
        self._ends_at = math.inf
        self._rejections = RejectionLog(bundle)
        self._model = model
        schema = SampleSchema(bundle.manifest.input.schema, is_strict=settings.strict_schema)
        self._requests = RowScorer(model, metrics, schema, BaseException)
        # A row of a batch is one sample, also where it is a list.
        self._rows = RowScorer(replace(model, listwise=False), metrics, schema, ServiceError)

    def start(self, run: Run) -> None:
        """Have predictions, also those of the warm-up, made by `run`."""
        self._run = run

    def end_soon(self) -> None:
        """Let batches end what they can soon."""
        self._ends_at = time.monotonic() + BATCH_FAREWELL_S

    @property
    def batches(self) -> bool:
        """Whether several samples may be scored at once: it is proven to give the same."""
        return self.bundle.manifest.batch

    def stride(self) -> Stride:
        """How many rows of a new batch to begin with."""
        return self._stride.for_next_batch()

    def not_ready(self) -> str | None:
        """Why the service cannot answer yet; None when it can."""
        if self.why_not_ready is None and not self.metrics.counters.is_ready:
            return "other workers are still loading"
        return self.why_not_ready

    def warm_up(self) -> None:
        """Score a few samples, so that the first request is as fast as the others.

        Raises ServiceError when the model, in this environment, cannot; then
        the worker is not ready, and it can be tried again.
        """
        try:
            score_few(self.bundle, self._model, self._run)
        except ServiceError:
            self.why_not_ready = "the warm-up failed: the log says why"
            raise
        self.why_not_ready = None

    def answer(self, request: PredictRequest, request_id: str) -> bytes:
        """The prediction for a request, as JSON, counted; raises ServiceError."""
        started = time.monotonic()
        try:
            again = partial(read_body, *request)
            scored = _scored(*self._run(partial(self._requests.score_one, again(), again)))
        except ServiceError as error:
            self.turn_down(error, request_id, time.monotonic() - started)
            raise
        self.count(scored, request_id, time.monotonic() - started)
        return scored.text

    def ask(self, request: PredictRequest) -> Scored | BaseException:
        """The prediction for a request, or why there is none, in this thread; nothing is counted.

        What is no ServiceError is a defect.
        """
        try:
            again = partial(read_body, *request)
            return _scored(*self._requests.score_one(again(), again))
        except BaseException as error:  # noqa: BLE001 - the caller has it
            return error

    def ask_many(self, requests: Sequence[PredictRequest]) -> list[Scored | BaseException]:
        """As `ask`, for requests that are scored at once; a bad one spoils no other."""
        steps = self._requests.score(Requests(requests), at_once=True)
        return [
            _scored_or_error(outcome, inputs)
            for step in steps
            for outcome, inputs in zip(*step, strict=True)
        ]

    def score(self, rows: Rows, stride: Stride) -> Iterator[list[Any]]:
        """The prediction for each row, or a ServiceError in its place; only input is counted.

        They come in the order of the rows, as many at a time as are ready. A
        ServiceError that is raised is not about one row: those that have not
        come are not answered.
        """
        at_once = self.batches and len(rows) > 1
        steps = self._rows.score(rows, at_once=at_once)
        if at_once:
            outcomes: list[Any] = []
            seconds = self._take_turn(steps, outcomes)
            if outcomes:
                stride.note(len(rows), seconds)
                self._stride = stride
                yield outcomes
                return
            stride.start_over()
        left, total_s = len(rows), 0.0
        while left:
            outcomes = []
            try:
                total_s += self._take_turn(steps, outcomes)
            except TimeLimitError:
                yield outcomes[:]  # the thread that is lost has the list, too
                raise
            left -= len(outcomes)
            yield outcomes
        if not self.batches:
            stride.note_one_by_one(len(rows), total_s)

    def _take_turn(self, steps: Steps, outcomes: list[Any]) -> float:
        """Add the outcomes that come in one turn; the seconds that it took.

        Raises OverloadedError when there is no time for more rows.
        """
        if time.monotonic() > self._ends_at:
            raise OverloadedError("the worker is ending: send the rows from here on again", 1)
        seconds: float = self._run(partial(self._add_some, steps, outcomes))
        return seconds

    def _add_some(self, steps: Steps, outcomes: list[Any]) -> float:
        """Add outcomes until there are none to come, or their turn is over; the seconds."""
        started = time.monotonic()
        for some, inputs in steps:
            outcomes += some
            if any(inputs):
                self.metrics.count_inputs([*chain.from_iterable(inputs)])
            if not some or time.monotonic() - started > BATCH_TURN_S:
                break
        return time.monotonic() - started

    def count(self, scored: Scored, request_id: str, seconds: float) -> None:
        """Count a request that is answered, and log it if it was slow."""
        self.metrics.count(scored.predictions, seconds, scored.inputs)
        self.log_if_slow(request_id, seconds)

    def log_if_slow(self, request_id: str, seconds: float, rows: int | None = None) -> None:
        """Log a request that took long; `rows` are those of a batch."""
        if seconds >= self.settings.slow_request_s:
            took = round(seconds, 3)
            log.event("slow", level=WARNING, request=request_id, seconds=took, rows=rows)

    def turn_down(
        self,
        error: ServiceError,
        request_id: str,
        seconds: float = 0.0,
        *,
        row: int | None = None,
        logged: bool = True,
    ) -> None:
        """Count, and log, a request for a prediction, or a row, that is not answered with one."""
        if isinstance(error, REJECTED):
            self.metrics.count_rejected(error.code)
            if logged:
                self._rejections.write(error, request_id, row)
            return
        self.metrics.count_failed()
        if logged:
            told = {"seconds": round(seconds, 3)} if row is None else {"row": row}
            log_failure(error, self.bundle, request=request_id, **told)


def _scored(outcome: Any, inputs: FeatureBins) -> Scored:
    """The prediction for a request as JSON; raises UnserialisableError."""
    predictions = outcome if type(outcome) is PredictionList else [outcome]
    return Scored(encode(outcome), predictions, inputs)


def _scored_or_error(outcome: Any, inputs: FeatureBins) -> Scored | BaseException:
    if isinstance(outcome, BaseException):
        return outcome
    try:
        return _scored(outcome, inputs)
    except BaseException as error:  # noqa: BLE001 - the caller has it
        return error
