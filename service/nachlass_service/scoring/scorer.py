"""Answers requests without HTTP: read, validate, predict, count, log.

All rules are here; app.py and the HTTP front only carry bytes and headers.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from logging import WARNING
from typing import Any, NamedTuple, Protocol

from nachlass_service.base import log
from nachlass_service.base.errors import REJECTED, OverloadedError, ServiceError, TimeLimitError
from nachlass_service.base.settings import Settings
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.failure import log_failure
from nachlass_service.bundle.model import Model
from nachlass_service.bundle.strict_json import encode
from nachlass_service.metrics.metrics import FeatureBins, Metrics
from nachlass_service.scoring.request_body import read_body
from nachlass_service.scoring.warm_up import score_few

BATCH_TURN_S = 0.05
"""Seconds that the rows scored in one turn should take at most: others wait meanwhile."""
TURN_BYTES = 1 << 22
"""Nor should their answers be larger."""
FEWEST_ROWS, MOST_ROWS = 16, 4096
"""Rows that are scored at once: in the first batch to begin with, and at most."""
CAUTION = 4
"""The rows of a batch may take so much longer than those of the one before, and still fit."""
BATCH_FAREWELL_S = 20
"""How long batches go on after a worker was told to end: less than it is waited for."""
BATCHES = 4
"""Batches that a worker answers at once."""

Run = Callable[[Callable[[], Any]], Any]
"""Does a piece of work where predictions are made; what it raises is raised."""


class PredictRequest(NamedTuple):
    """A request for a prediction: two of its headers, empty when absent, and its body."""

    content_type: str
    content_encoding: str
    body: bytes


class Rows(Protocol):
    """Some rows of a batch, as they were sent."""

    def __len__(self) -> int:
        """How many there are."""

    def samples(self) -> list[Any]:
        """The samples that the rows are, made anew; a ServiceError in the place of one."""


class Stride:
    """How many rows of a batch to score next: about as many as fit in a turn.

    It grows step by step in each batch, because its rows may take much longer
    than those before.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def note_size(self, rows: int, size: int) -> None:
        """Take note of how many bytes the answers to so many rows have."""
        self.rows = max(1, min(self.rows, rows * TURN_BYTES // max(1, size)))

    def note(self, rows: int, seconds: float) -> None:
        """Take note of how long so many rows have taken."""
        if seconds > BATCH_TURN_S or rows >= self.rows:
            fitting = int(rows * BATCH_TURN_S / max(seconds, 1e-6))
            self.rows = max(1, min(fitting, CAUTION * rows, MOST_ROWS))


@dataclass(frozen=True, slots=True)
class Scored:
    """A prediction as JSON; the predictions in it, and of its input, that are counted."""

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
        self._first_rows = FEWEST_ROWS
        self._ends_at = math.inf
        self._model = model

    def start(self, run: Run) -> None:
        """Have predictions, also those of the warm-up, made by `run`."""
        self._run = run

    def end_soon(self) -> None:
        """Let batches end what they can soon; also called by a handler of signals."""
        self._ends_at = time.monotonic() + BATCH_FAREWELL_S

    @property
    def batches(self) -> bool:
        """Whether several samples may be scored at once: it is proven to give the same."""
        return self.bundle.manifest.batch

    def stride(self) -> Stride:
        """How many rows of a new batch to begin with."""
        return Stride(self._first_rows)

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
        except ServiceError as error:
            self.why_not_ready = f"the warm-up failed: {error}"
            raise
        self.why_not_ready = None

    def answer(self, request: PredictRequest, request_id: str) -> bytes:
        """The prediction for a request, as JSON, counted; raises ServiceError."""
        started = time.monotonic()
        try:
            scored = self._scored(request, self._predict_elsewhere)
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
            return self._scored(request, self._model.answer)
        except BaseException as error:  # noqa: BLE001 - the caller has it
            return error

    def ask_many(self, requests: Sequence[PredictRequest]) -> list[Scored | BaseException]:
        """As `ask`, for requests that are scored at once; a bad one spoils no other."""
        outcomes: list[Scored | BaseException | None] = [None] * len(requests)
        samples, inputs = {}, {}
        for place, request in enumerate(requests):
            try:
                sample = read_body(*request)
                if not self._model.takes_as_batch(sample):
                    self._model.validate(sample)
                    samples[place], inputs[place] = sample, self.metrics.bin_features([sample])
            except BaseException as error:  # noqa: BLE001 - the caller has it
                outcomes[place] = error
        if len(samples) > 1:
            try:
                predictions = self._model.predict_batch(list(samples.values()))
                for place, prediction in zip(samples, predictions, strict=True):
                    outcomes[place] = Scored(encode(prediction), [prediction], inputs[place])
            except ServiceError:
                pass  # one of them may be what fails: they are scored one by one
        return [
            self.ask(request) if outcome is None else outcome
            for request, outcome in zip(requests, outcomes, strict=True)
        ]

    def score(self, rows: Rows, stride: Stride) -> Iterator[list[Any]]:
        """The prediction for each row, or a ServiceError in its place; only input is counted.

        They come in the order of the rows, as many at a time as are ready. A
        ServiceError that is raised is not about one row: those that have not
        come are not answered.
        """
        self._refuse_at_the_end()
        if self.batches and len(rows) > 1:
            outcomes, seconds = self._run(partial(self._score_at_once, rows))
            stride.note(len(rows), seconds)
            self._first_rows = max(1, min(stride.rows, MOST_ROWS // 2) // CAUTION)
            if outcomes is not None:
                yield outcomes
                return
        samples = iter(rows.samples())
        left, total_s = len(rows), 0.0
        while left:
            self._refuse_at_the_end()
            outcomes = []
            try:
                total_s += self._run(partial(self._score_some, samples, outcomes))
            except TimeLimitError:
                yield outcomes[:]  # the thread that is lost has the list, too
                raise
            left -= len(outcomes)
            yield outcomes
        stride.note(len(rows), total_s)

    def _refuse_at_the_end(self) -> None:
        """Raise OverloadedError when there is no time for more rows."""
        if time.monotonic() > self._ends_at:
            raise OverloadedError("the worker is ending: send the rows from here on again", 1)

    def _score_at_once(self, rows: Rows) -> tuple[list[Any] | None, float]:
        """The outcome for each row, None if they cannot be scored together; and the seconds."""
        started = time.monotonic()
        outcomes = self._outcomes(rows)
        return outcomes, time.monotonic() - started

    def _outcomes(self, rows: Rows) -> list[Any] | None:
        outcomes = rows.samples()
        valid = []
        for place, sample in enumerate(outcomes):
            try:
                if not isinstance(sample, ServiceError):
                    self._model.validate(sample)
                    valid.append(place)
            except ServiceError as error:
                outcomes[place] = error
        if valid:
            samples = [outcomes[place] for place in valid]
            inputs = self.metrics.bin_features(samples)
            try:
                predictions = self._model.predict_batch(samples)
            except ServiceError:
                return None
            self.metrics.count_inputs(inputs)
            for place, prediction in zip(valid, predictions, strict=True):
                outcomes[place] = prediction
        return outcomes

    def _score_some(self, samples: Iterator[Any], outcomes: list[Any]) -> float:
        """Add the outcomes of samples, one by one, until their turn is over; the seconds."""
        started = time.monotonic()
        for sample in samples:
            try:
                if isinstance(sample, ServiceError):
                    raise sample
                inputs = self.metrics.bin_features([sample])
                outcomes.append(self._model.predict(sample))
                self.metrics.count_inputs(inputs)
            except ServiceError as error:
                outcomes.append(error)
            if time.monotonic() - started > BATCH_TURN_S:
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

    def _predict_elsewhere(self, sample: Any) -> Any:
        return self._run(partial(self._model.answer, sample))

    def _scored(self, request: PredictRequest, predict: Callable[[Any], Any]) -> Scored:
        """The prediction that `predict` makes of a request."""
        sample = read_body(*request)
        is_batch = self._model.takes_as_batch(sample)
        inputs = self.metrics.bin_features(sample if is_batch else [sample])
        prediction = predict(sample)
        return Scored(encode(prediction), prediction if is_batch else [prediction], inputs)

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
            return
        self.metrics.count_failed()
        if logged:
            told = {"seconds": round(seconds, 3)} if row is None else {"row": row}
            log_failure(error, self.bundle, request=request_id, **told)
