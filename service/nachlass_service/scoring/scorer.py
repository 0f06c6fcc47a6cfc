"""Answers requests independently of HTTP: reads, validates, predicts, counts, logs.

app.py and the HTTP server only transfer bytes and headers.
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

BATCH_DRAIN_S = 20
"""How long batches continue during a shutdown: less than the graceful timeout."""
BATCHES = 4
"""The most batches that a worker answers at once."""

Run = Callable[[Callable[[], Any]], Any]
"""Does work in a prediction thread, and returns or raises its outcome."""


Steps = Iterator[tuple[list[Any], list[FeatureBins]]]


class Scored(NamedTuple):
    """A prediction as JSON, with the predictions and input bins to count."""

    text: bytes
    predictions: Sequence[Any]
    inputs: FeatureBins


class Scorer:
    """Answers requests with a model; `start` is called after the fork."""

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
        # A batch row is always one sample, even if it is a list.
        self._rows = RowScorer(replace(model, listwise=False), metrics, schema, ServiceError)

    def start(self, run: Run) -> None:
        """Make all predictions, including those of the warm-up, with `run`."""
        self._run = run

    def begin_shutdown(self) -> None:
        """Set the deadline for batches during a shutdown."""
        self._ends_at = time.monotonic() + BATCH_DRAIN_S

    @property
    def batches(self) -> bool:
        """Whether several samples may be scored at once, as proven by the build."""
        return self.bundle.manifest.batch

    def stride(self) -> Stride:
        """Return the stride of a new batch."""
        return self._stride.for_next_batch()

    def not_ready(self) -> str | None:
        """Return why the service cannot answer yet; None when it can."""
        if self.why_not_ready is None and not self.metrics.counters.is_ready:
            return "other workers are still loading"
        return self.why_not_ready

    def warm_up(self) -> None:
        """Score a few samples, so that the first request is as fast as the others.

        Raises ServiceError if the model fails; then the worker is not ready, and the
        warm-up can be retried.
        """
        try:
            score_few(self.bundle, self._model, self._run)
        except ServiceError:
            self.why_not_ready = "the warm-up failed: see the service's log"
            raise
        self.why_not_ready = None

    def answer(self, request: PredictRequest, request_id: str) -> bytes:
        """Return the prediction for a request as JSON, and count it; raises ServiceError."""
        started = time.monotonic()
        try:
            reread = partial(read_body, *request)
            scored = _scored(*self._run(partial(self._requests.score_one, reread(), reread)))
        except ServiceError as error:
            self.reject(error, request_id, time.monotonic() - started)
            raise
        self.count(scored, request_id, time.monotonic() - started)
        return scored.text

    def predict(self, request: PredictRequest) -> Scored | BaseException:
        """Return the prediction for a request, or an exception, without counting it.

        It is made in this thread. An exception other than ServiceError is a defect.
        """
        try:
            reread = partial(read_body, *request)
            return _scored(*self._requests.score_one(reread(), reread))
        except BaseException as error:  # noqa: BLE001 - the caller handles it
            return error

    def predict_many(self, requests: Sequence[PredictRequest]) -> list[Scored | BaseException]:
        """Score requests at once, like `predict`; a bad request does not affect the others."""
        steps = self._requests.score(Requests(requests), at_once=True)
        return [
            _scored_or_error(outcome, inputs)
            for step in steps
            for outcome, inputs in zip(*step, strict=True)
        ]

    def score(self, rows: Rows, stride: Stride) -> Iterator[list[Any]]:
        """Yield the predictions of rows, with a ServiceError in the place of each failed one.

        Outcomes are in the order of the rows, in groups. Only the input is counted. A
        ServiceError that is raised concerns all remaining rows, which have no outcome.
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
        remaining, total_s = len(rows), 0.0
        while remaining:
            outcomes = []
            try:
                total_s += self._take_turn(steps, outcomes)
            except TimeLimitError:
                yield outcomes[:]  # the lost thread may still add to the list
                raise
            remaining -= len(outcomes)
            yield outcomes
        if not self.batches:
            stride.note_one_by_one(len(rows), total_s)

    def _take_turn(self, steps: Steps, outcomes: list[Any]) -> float:
        """Add the outcomes of one turn, and return its duration in seconds.

        Raises OverloadedError during a shutdown, when there is no time for more rows.
        """
        if time.monotonic() > self._ends_at:
            raise OverloadedError("the worker is shutting down: send the remaining rows again", 1)
        seconds: float = self._run(partial(self._add_some, steps, outcomes))
        return seconds

    def _add_some(self, steps: Steps, outcomes: list[Any]) -> float:
        """Add outcomes until there are no more or the turn is over; return the seconds."""
        started = time.monotonic()
        for some, inputs in steps:
            outcomes += some
            if any(inputs):
                self.metrics.count_inputs([*chain.from_iterable(inputs)])
            if not some or time.monotonic() - started > BATCH_TURN_S:
                break
        return time.monotonic() - started

    def count(self, scored: Scored, request_id: str, seconds: float) -> None:
        """Count an answered request, and log it if it was slow."""
        self.metrics.count(scored.predictions, seconds, scored.inputs)
        self.log_if_slow(request_id, seconds)

    def log_if_slow(self, request_id: str, seconds: float, rows: int | None = None) -> None:
        """Log a slow request; `rows` is the number of rows of a batch."""
        if seconds >= self.settings.slow_request_s:
            rounded_s = round(seconds, 3)
            log.event("slow", level=WARNING, request=request_id, seconds=rounded_s, rows=rows)

    def reject(
        self,
        error: ServiceError,
        request_id: str,
        seconds: float = 0.0,
        *,
        row: int | None = None,
        logged: bool = True,
    ) -> None:
        """Count and log a prediction request, or a row, that gets an error."""
        if isinstance(error, REJECTED):
            self.metrics.count_rejected(error.code)
            if logged:
                self._rejections.write(error, request_id, row)
            return
        self.metrics.count_failed()
        if logged:
            detail = {"seconds": round(seconds, 3)} if row is None else {"row": row}
            log_failure(error, self.bundle, request=request_id, **detail)


def _scored(outcome: Any, inputs: FeatureBins) -> Scored:
    """Encode the prediction for a request; raises UnserialisableError."""
    predictions = outcome if type(outcome) is PredictionList else [outcome]
    return Scored(encode(outcome), predictions, inputs)


def _scored_or_error(outcome: Any, inputs: FeatureBins) -> Scored | BaseException:
    if isinstance(outcome, BaseException):
        return outcome
    try:
        return _scored(outcome, inputs)
    except BaseException as error:  # noqa: BLE001 - the caller handles it
        return error
