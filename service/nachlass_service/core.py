"""Answers requests without HTTP: read, validate, predict, count, log. Model environment.

All rules are here; a face (app.py) only carries bytes and headers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from logging import WARNING
from typing import Any, NamedTuple

from nachlass_service import log
from nachlass_service.bundle import Bundle
from nachlass_service.errors import REJECTED, ServiceError
from nachlass_service.meter import Meter
from nachlass_service.model import Model
from nachlass_service.rehearsal import score_few
from nachlass_service.request_body import read_body
from nachlass_service.settings import Settings
from nachlass_service.strict_json import encode

Run = Callable[[Callable[[], Any]], Any]
"""Does a piece of work where predictions are made; what it raises is raised."""


class Asked(NamedTuple):
    """A request for a prediction: two of its headers, empty when absent, and its body."""

    content_type: str
    content_encoding: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """A prediction as JSON, and the predictions in it that are counted."""

    text: bytes
    predictions: Sequence[Any]


class Core:
    """A model, and what it takes to answer with it; `start` is called after the fork."""

    def __init__(self, bundle: Bundle, model: Model, meter: Meter, settings: Settings) -> None:
        self.bundle = bundle
        self.meter = meter
        self.settings = settings
        self.why_not_ready: str | None = "the model has not been warmed up yet"
        self._model = model

    def start(self, run: Run) -> None:
        """Have predictions, also those of the warm-up, made by `run`."""
        self._run = run

    @property
    def batches(self) -> bool:
        """Whether several samples may be scored at once: it is proven to give the same."""
        return bool(self.bundle.manifest["batch"])

    def not_ready(self) -> str | None:
        """Why the service cannot answer yet; None when it can."""
        if self.why_not_ready is None and not self.meter.slots.is_ready:
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

    def answer(self, asked: Asked, request_id: str) -> bytes:
        """The prediction for a request, as JSON, counted; raises ServiceError."""
        started = time.monotonic()
        try:
            request = read_body(*asked)
            answered = self._answered(request, self._run(partial(self._model.answer, request)))
        except ServiceError as error:
            self.turn_down(error, request_id, time.monotonic() - started)
            raise
        self.count(answered, request_id, time.monotonic() - started)
        return answered.text

    def ask(self, asked: Asked) -> Answered | BaseException:
        """The prediction for a request, or why there is none, in this thread; nothing is counted.

        What is no ServiceError is a defect.
        """
        try:
            request = read_body(*asked)
            return self._answered(request, self._model.answer(request))
        except BaseException as error:  # noqa: BLE001 - the caller has it
            return error

    def ask_many(self, all_asked: Sequence[Asked]) -> list[Answered | BaseException]:
        """As `ask`, for requests that are scored at once; a bad one spoils no other."""
        outcomes: list[Answered | BaseException | None] = [None] * len(all_asked)
        samples = {}
        for place, asked in enumerate(all_asked):
            try:
                request = read_body(*asked)
                if not self._model.takes_as_batch(request):
                    self._model.validate(request)
                    samples[place] = request
            except BaseException as error:  # noqa: BLE001 - the caller has it
                outcomes[place] = error
        if len(samples) > 1:
            try:
                predictions = self._model.predict_batch(list(samples.values()))
                for place, prediction in zip(samples, predictions, strict=True):
                    outcomes[place] = Answered(encode(prediction), [prediction])
            except ServiceError:
                pass  # one of them may be what fails: they are scored one by one
        return [
            self.ask(asked) if outcome is None else outcome
            for asked, outcome in zip(all_asked, outcomes, strict=True)
        ]

    def count(self, answered: Answered, request_id: str, seconds: float) -> None:
        """Count a request that is answered, and log it if it was slow."""
        self.meter.count(answered.predictions, seconds)
        if seconds >= self.settings.slow_request_s:
            log.event("slow", level=WARNING, request=request_id, seconds=round(seconds, 3))

    def _answered(self, request: Any, prediction: Any) -> Answered:
        is_batch = self._model.takes_as_batch(request)
        return Answered(encode(prediction), prediction if is_batch else [prediction])

    def turn_down(self, error: ServiceError, request_id: str, seconds: float = 0.0) -> None:
        """Count, and log, a request for a prediction that is not answered with one."""
        if isinstance(error, REJECTED):
            self.meter.count_rejected(error.code)
        else:
            self.meter.count_failed()
            log.failure(error, self.bundle, request=request_id, seconds=round(seconds, 3))
