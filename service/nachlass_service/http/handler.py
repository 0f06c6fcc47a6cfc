"""Answers the requests of a worker's connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from logging import ERROR
from typing import TYPE_CHECKING

from nachlass_service.base import log
from nachlass_service.base.errors import ServiceError
from nachlass_service.http.access_log import AccessLog
from nachlass_service.http.batch_handler import BatchHandler
from nachlass_service.http.body_budget import BodyBudget, body_memory_limit
from nachlass_service.http.head import Rejection, RequestLimits
from nachlass_service.http.interfaces import Client
from nachlass_service.http.request import Request
from nachlass_service.http.responder import Responder
from nachlass_service.http.responses import (
    LIVE,
    READY,
    Response,
    json_response,
    page_response,
    problem_response,
    rejection_response,
)
from nachlass_service.http.router import Route, is_streamed, route_of
from nachlass_service.http.wsgi import WSGI, answer_of
from nachlass_service.scoring.request_body import PredictRequest
from nachlass_service.scoring.scheduler import DisconnectedError, Job, Scheduler
from nachlass_service.scoring.scorer import Scored, Scorer

if TYPE_CHECKING:
    from gunicorn.config import Config

PAGES = 4
"""The most concurrent calls of the Flask application; they are short."""
LARGE_BYTES = 1 << 16
"""Larger bodies are never decoded in the loop's thread."""


class RequestHandler:
    """Answers requests with a scorer and an application; all methods run in the loop's thread."""

    def __init__(
        self,
        scorer: Scorer,
        application: WSGI,
        cfg: Config,
        loop: asyncio.AbstractEventLoop,
        *,
        access_log: AccessLog,
        replace_worker: Callable[[str], None],
    ) -> None:
        self.limits = RequestLimits(
            body_bytes=scorer.settings.max_body_bytes,
            line_bytes=cfg.limit_request_line or 1 << 16,
            field_bytes=cfg.limit_request_field_size or 1 << 16,
            fields=cfg.limit_request_fields,
        )
        self.budget = BodyBudget(body_memory_limit(scorer.settings))
        self.keep_alive_s = cfg.keepalive
        self.is_streamed = is_streamed
        self.scheduler = Scheduler(scorer, loop, replace_worker)
        digest = scorer.bundle.manifest.digest
        self.responder = Responder(cfg, loop, access_log, digest)
        self._scorer, self._application = scorer, application
        self._batches = BatchHandler(scorer, application, self.responder)
        self._pages = ThreadPoolExecutor(PAGES, "page")

    def handle(self, client: Client, request: Request) -> None:
        """Answer a request, now or later."""
        route = route_of(request)
        request.route = route.metric
        self._scorer.metrics.begin()
        try:
            self._answer(route, client, request)
        except BaseException:
            self._scorer.metrics.end(request.route, None)
            raise

    def _answer(self, route: Route, client: Client, request: Request) -> None:
        if route is Route.PREDICT:
            self._predict(client, request)
        elif route is Route.BATCH:
            self._batches.handle(client, request)
        elif request.error is not None:
            self._send_problem(client, request, request.error)
        elif route is Route.LIVE:
            self._answer_health(client, request, LIVE)
        elif route is Route.READY and self._scorer.not_ready() is None:
            self._answer_health(client, request, READY)
        else:
            self._answer_page(client, request)

    def reject(self, client: Client, rejection: Rejection) -> None:
        """Answer a malformed request, and close."""
        request = Request()
        request.keep_alive = False
        self._scorer.metrics.begin()
        response = rejection_response(*rejection, self.responder.request_id(request))
        self.responder.send(client, request, response)

    def defect(self, error: BaseException) -> None:
        """Log an unexpected exception that ends a client's connection."""
        log.event("defect", level=ERROR, exc_info=error)

    def _send_problem(self, client: Client, request: Request, error: ServiceError) -> None:
        response = problem_response(error, self.responder.request_id(request))
        self.responder.send(client, request, response)

    def _answer_health(self, client: Client, request: Request, body: bytes) -> None:
        response = json_response(body, self.responder.request_id(request))
        self.responder.send(client, request, response)

    # Predictions.

    def _predict(self, client: Client, request: Request) -> None:
        predict_request = PredictRequest(
            request.header(b"content-type"), request.header(b"content-encoding"), request.body
        )
        is_large = len(request.body) > LARGE_BYTES
        job = Job(
            partial(self._predicted, client, request),
            request=None if is_large else predict_request,
            work=partial(self._scorer.predict, predict_request) if is_large else None,
            is_wanted=lambda: client.is_open,
        )
        try:
            if request.error is not None:
                raise request.error
            self.scheduler.submit(job)
        except ServiceError as error:
            self._scorer.reject(error, self.responder.request_id(request))
            self._send_problem(client, request, error)

    def _predicted(self, client: Client, request: Request, outcome: Scored | BaseException) -> None:
        """Answer a request for a prediction."""
        if isinstance(outcome, DisconnectedError):
            self._scorer.metrics.end(request.route, None)
            return
        try:
            response = self._response_to(request, outcome)
        except Exception as error:  # noqa: BLE001 - other requests of this turn are not affected
            response = self.responder.defect_in(request, error)
        self.responder.send(client, request, response)

    def _response_to(self, request: Request, outcome: Scored | BaseException) -> Response:
        """Count and log the outcome of a request for a prediction."""
        request_id = self.responder.request_id(request)
        seconds = time.monotonic() - request.arrived_at
        if isinstance(outcome, Scored):
            self._scorer.count(outcome, request_id, seconds)
            return json_response(outcome.text + b"\n", request_id)
        if isinstance(outcome, ServiceError):
            self._scorer.reject(outcome, request_id, seconds)
            return problem_response(outcome, request_id)
        self._scorer.metrics.count_failed()
        return self.responder.defect_in(request, outcome)

    # Pages of the Flask application.

    def _answer_page(self, client: Client, request: Request) -> None:
        environ = self.responder.environ(client, request)

        def work() -> None:
            try:
                response = page_response(*answer_of(self._application, environ))
            except BaseException as error:  # noqa: BLE001 - the client gets a response for it
                response = self.responder.defect_in(request, error)
            self.responder.post(partial(self.responder.send, client, request, response))

        self._pages.submit(work)
