"""Answers the requests of a worker's connections."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from logging import ERROR
from typing import TYPE_CHECKING, Any

from nachlass_service.base import log
from nachlass_service.base.errors import OverloadedError, ServiceError
from nachlass_service.http.access_log import AccessLog
from nachlass_service.http.parser import BodyBudget, Failure, Limits
from nachlass_service.http.protocol import Connection
from nachlass_service.http.request import Request
from nachlass_service.http.responses import (
    LIVE,
    READY,
    Heads,
    Response,
    defect_response,
    json_response,
    lines_of,
    page_response,
    problem_response,
    refusal_response,
)
from nachlass_service.http.router import Route, is_streamed, route_of
from nachlass_service.http.scheme import Scheme
from nachlass_service.http.streaming import ClientGoneError, Streamed
from nachlass_service.http.wsgi import WSGI, answer_of, begin, end, environ_of
from nachlass_service.scoring.request_body import PredictRequest
from nachlass_service.scoring.scheduler import Job, Scheduler
from nachlass_service.scoring.scorer import Scored, Scorer
from nachlass_service.web.app import REQUEST_ID

if TYPE_CHECKING:
    from gunicorn.config import Config

PAGES = 4
"""Calls of the Flask application at once; they are short."""
LARGE_BYTES = 1 << 16
"""A body that is larger is never decoded in the loop's thread."""
STREAMS = 64
"""Batches that are being read, or answered, at once; each has a thread."""
BODIES = 4
"""Bodies of the maximum size that a worker holds at once."""


class RequestHandler:
    """Answers requests with a scorer and an application; all methods are the loop's.

    `opened` and `closed` are told of each connection. With `is_draining`, each
    response is the last of its connection.
    """

    def __init__(
        self,
        scorer: Scorer,
        application: WSGI,
        cfg: Config,
        loop: asyncio.AbstractEventLoop,
        *,
        access_log: AccessLog,
        leave: Callable[[str], None],
    ) -> None:
        most = scorer.settings.max_body_bytes
        self.limits = Limits(
            body_bytes=most,
            line_bytes=cfg.limit_request_line or 1 << 16,
            field_bytes=cfg.limit_request_field_size or 1 << 16,
            fields=cfg.limit_request_fields,
        )
        self.budget = BodyBudget(BODIES * most)
        self.keep_alive_s = cfg.keepalive
        self.is_streamed = is_streamed
        self.heads = Heads()
        self.scheduler = Scheduler(scorer, loop, leave)
        self.is_draining = False
        self._scorer, self._application, self._loop = scorer, application, loop
        self._scheme = Scheme(cfg)
        self._access_log = access_log
        self._streams = 0
        self._pages = ThreadPoolExecutor(PAGES, "page")
        self._ids = map(f"{secrets.token_hex(4)}{{:08x}}".format, count())
        self.opened: Callable[[Connection], None]
        self.closed: Callable[[Connection], None]

    def handle(self, connection: Connection, request: Request) -> None:
        """Answer a request, now or later."""
        route = route_of(request)
        if route is Route.PREDICT:
            self._predict(connection, request)
        elif route is Route.BATCH:
            self._stream(connection, request)
        elif request.error is not None:
            self._send(connection, request, problem_response(request.error, self._id(request)))
        elif route is Route.LIVE:
            self._send(connection, request, json_response(LIVE, self._id(request)))
        elif route is Route.READY and self._scorer.not_ready() is None:
            self._send(connection, request, json_response(READY, self._id(request)))
        else:
            self._answer_page(connection, request)

    def refuse(self, connection: Connection, failure: Failure) -> None:
        """Answer what is no request, and close."""
        request = Request()
        request.keep_alive = False
        self._send(connection, request, refusal_response(*failure, self._id(request)))

    def defect(self, error: BaseException) -> None:
        """Log what should not have happened."""
        log.event("defect", level=ERROR, exc_info=error)

    # Predictions.

    def _predict(self, connection: Connection, request: Request) -> None:
        asked = PredictRequest(
            request.header(b"content-type"), request.header(b"content-encoding"), request.body
        )
        is_large = len(request.body) > LARGE_BYTES
        job = Job(
            partial(self._predicted, connection, request),
            request=None if is_large else asked,
            work=partial(self._scorer.ask, asked) if is_large else None,
            is_wanted=lambda: connection.is_open,
        )
        try:
            if request.error is not None:
                raise request.error
            self.scheduler.submit(job)
        except ServiceError as error:
            self._scorer.turn_down(error, self._id(request))
            self._send(connection, request, problem_response(error, self._id(request)))

    def _predicted(
        self, connection: Connection, request: Request, outcome: Scored | BaseException
    ) -> None:
        """Answer a request for a prediction."""
        try:
            response = self._response_to(request, outcome)
        except Exception as error:  # noqa: BLE001 - other requests of this turn go on
            response = self._defect_in(request, error)
        self._send(connection, request, response)

    def _response_to(self, request: Request, outcome: Scored | BaseException) -> Response:
        """Count and log what came of a request for a prediction."""
        request_id = self._id(request)
        seconds = time.monotonic() - request.arrived_at
        if isinstance(outcome, Scored):
            self._scorer.count(outcome, request_id, seconds)
            return json_response(outcome.text + b"\n", request_id)
        if isinstance(outcome, ServiceError):
            self._scorer.turn_down(outcome, request_id, seconds)
            return problem_response(outcome, request_id)
        self._scorer.metrics.count_failed()
        return self._defect_in(request, outcome)

    # Pages, by the Flask application.

    def _answer_page(self, connection: Connection, request: Request) -> None:
        environ = self._environ(connection, request)

        def work() -> None:
            outcome: Response | BaseException
            try:
                outcome = page_response(*answer_of(self._application, environ))
            except BaseException as error:  # noqa: BLE001 - the client is told of it
                outcome = error
            self._post(partial(self._page_made, connection, request, outcome))

        self._pages.submit(work)

    def _page_made(
        self,
        connection: Connection,
        request: Request,
        outcome: Response | BaseException,
    ) -> None:
        if isinstance(outcome, BaseException):
            response = self._defect_in(request, outcome)
        else:
            response = outcome
        self._send(connection, request, response)

    # Batches, in threads of their own.

    def _stream(self, connection: Connection, request: Request) -> None:
        if self._streams >= STREAMS:
            self._turn_down_stream(connection, request)
            return
        self._streams += 1
        stream = Streamed(self._loop, connection, request)
        environ = self._environ(connection, request)
        environ |= {"wsgi.input": stream, "wsgi.input_terminated": True}
        work = partial(self._answer_stream, connection, request, stream, environ)
        connection.stream(stream)
        try:
            threading.Thread(target=work, name="batch", daemon=True).start()
        except RuntimeError as error:  # the system has no room for more
            self.defect(error)
            self._streamed(connection, request, stream, close=True)

    def _turn_down_stream(self, connection: Connection, request: Request) -> None:
        """Refuse a batch: each that is read has a thread."""
        error = OverloadedError(f"too many batches are being sent (limit {STREAMS})", 1)
        request.keep_alive = False
        self._scorer.turn_down(error, self._id(request))
        self._send(connection, request, problem_response(error, self._id(request)))

    def _answer_stream(
        self, connection: Connection, request: Request, stream: Streamed, environ: dict[str, Any]
    ) -> None:
        """Have the Flask application answer in this thread, while the body still comes."""
        close = True
        try:
            status, headers, pieces = begin(self._application, environ)
            try:
                lines, length = lines_of(headers)
                chunked = length is None and not request.is_old
                if chunked:
                    lines += b"Transfer-Encoding: chunked\r\n"
                elif length is not None:
                    lines += b"Content-Length: %d\r\n" % length
                may_stay = (chunked or length is not None) and request.keep_alive
                may_stay = may_stay and not self.is_draining
                head = self.heads.head(status, lines, close=not may_stay)
                stream.send(status, head, pieces, chunked=chunked)
            finally:
                end(pieces)
            stream.throw_away()
            close = not (may_stay and request.is_whole)
        except ClientGoneError:
            pass
        except BaseException as error:  # noqa: BLE001 - the client sees that the answer has no end
            self.defect(error)
        self._post(partial(self._streamed, connection, request, stream, close=close))

    def _streamed(
        self, connection: Connection, request: Request, stream: Streamed, *, close: bool
    ) -> None:
        """Go on with a connection after a batch."""
        self._streams -= 1
        self._access_log.note(connection, request, stream.status, stream.sent)
        connection.end_stream(close=close)

    # How it is answered.

    def _send(self, connection: Connection, request: Request, response: Response) -> None:
        close = not request.keep_alive or self.is_draining
        if connection.is_open:
            self._access_log.note(connection, request, response.status, len(response.body))
        only_head = request.method == b"HEAD"
        text = self.heads.whole(response, close=close, only_head=only_head)
        connection.answer(text, close=close)

    def _defect_in(self, request: Request, error: BaseException) -> Response:
        request_id = self._id(request)
        path = request.target.decode("latin-1")
        log.event("defect", level=ERROR, request=request_id, path=path, exc_info=error)
        return defect_response(request_id)

    def _post(self, work: Callable[[], None]) -> None:
        """Have the loop do something, from another thread; nothing, once it has ended."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work)

    def _id(self, request: Request) -> str:
        """What the log calls this request: the name the client gave it, or a new one."""
        if not request.id:
            given = request.header(b"x-request-id")
            request.id = given if REQUEST_ID.fullmatch(given) else next(self._ids)
        return request.id

    def _environ(self, connection: Connection, request: Request) -> dict[str, Any]:
        scheme = self._scheme.of(connection, request)
        return environ_of(request, scheme=scheme, server=connection.server, peer=connection.peer)
