"""Answers requests without HTTP: read, validate, predict, count, log. Model environment.

All rules are here; a face (app.py) only carries bytes and headers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from logging import WARNING

from nachlass_service import log
from nachlass_service.bundle import Bundle
from nachlass_service.errors import REJECTED, ServiceError
from nachlass_service.meter import Meter
from nachlass_service.model import Model
from nachlass_service.pool import Pool
from nachlass_service.rehearsal import score_few
from nachlass_service.request_body import read_body
from nachlass_service.settings import Settings
from nachlass_service.strict_json import encode

FACE_THREADS = 64
"""Threads that carry requests, of which those that wait for a prediction leave some free."""
HEALTH_THREADS = 8


class Core:
    """A model, and what it takes to answer with it; `start` is called after the fork."""

    def __init__(self, bundle: Bundle, model: Model, meter: Meter, settings: Settings) -> None:
        self.bundle = bundle
        self.meter = meter
        self.settings = settings
        self.why_not_ready: str | None = "the model has not been warmed up yet"
        self._model = model

    def start(self, on_lost: Callable[[], None]) -> None:
        """Start the threads that predict.

        `on_lost` is called when a predictor has not come back: the process
        should be replaced.
        """
        self._pool = Pool(
            self.settings.predictor_threads,
            limit_s=self.settings.predict_timeout_s,
            longest_queue=FACE_THREADS - HEALTH_THREADS,
            on_lost=on_lost,
        )

    def warm_up(self) -> None:
        """Score a few samples, so that the first request is as fast as the others.

        Raises ServiceError when the model, in this environment, cannot; then
        the worker is not ready, and it can be tried again.
        """
        try:
            score_few(self.bundle, self._model, self._pool.run)
        except ServiceError as error:
            self.why_not_ready = f"the warm-up failed: {error}"
            raise
        self.why_not_ready = None

    def answer(
        self, content_type: str, content_encoding: str, body: bytes, request_id: str
    ) -> bytes:
        """The prediction for a request, as JSON; raises ServiceError."""
        started = time.monotonic()
        try:
            request = read_body(content_type, content_encoding, body)
            is_batch = self._model.takes_as_batch(request)
            inputs = self.meter.look_at(request if is_batch else [request])
            prediction = self._pool.run(partial(self._model.answer, request))
            text = encode(prediction)
        except ServiceError as error:
            self.turn_down(error, request_id, time.monotonic() - started)
            raise
        seconds = time.monotonic() - started
        self.meter.count(prediction if is_batch else [prediction], seconds, inputs)
        if seconds >= self.settings.slow_request_s:
            log.event("slow", level=WARNING, request=request_id, seconds=round(seconds, 3))
        return text

    def turn_down(self, error: ServiceError, request_id: str, seconds: float = 0.0) -> None:
        """Count, and log, a request for a prediction that is not answered with one."""
        if isinstance(error, REJECTED):
            self.meter.count_rejected(error.code)
        else:
            self.meter.count_failed()
            log.failure(error, self.bundle, request=request_id, seconds=round(seconds, 3))
