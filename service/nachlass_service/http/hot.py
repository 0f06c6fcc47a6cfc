"""The service's fast face: predictions and health without Flask.

It answers what is asked often in the thread that has read it, and calls the
Flask application (app.py) for everything else.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from ipaddress import ip_address
from itertools import count
from logging import ERROR
from queue import SimpleQueue
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from nachlass_service.base import log
from nachlass_service.base.errors import OverloadedError, ServiceError, TimeLimitError
from nachlass_service.base.problem import MEDIA_TYPE, problem, problem_of, problem_of_defect
from nachlass_service.batches.formats import is_batch
from nachlass_service.bundle.strict_json import encode
from nachlass_service.http.balance import Balance
from nachlass_service.http.connection import Connection
from nachlass_service.http.door import Door
from nachlass_service.http.lent import Answer, Arriving
from nachlass_service.http.loop import Loop
from nachlass_service.http.request import Request
from nachlass_service.http.wsgi import WSGI, Headers, answer_of, begin, end, environ_of, path_of
from nachlass_service.scoring.admission import Admission, not_its_turn
from nachlass_service.scoring.request_body import PredictRequest
from nachlass_service.scoring.scorer import Scored, Scorer
from nachlass_service.web.app import REQUEST_ID

if TYPE_CHECKING:
    from gunicorn.config import Config
    from gunicorn.glogging import Logger

T = TypeVar("T")

TURN_S = 0.0005
"""After so long in a turn, others are listened to first: somebody may ask for the health, and
requests are seen in the order of their arrival only if they are looked for often."""
PAGES = 4
"""Calls of the Flask application at once; they are short."""
MOST_IN_BATCH = 64
REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
JSON_TYPE = "application/json"
LIVE = encode({"live": True}) + b"\n"
READY = encode({"ready": True}) + b"\n"


class Call(Generic[T]):
    """Something to do outside of the loop, and what the leader then does with what came of it.

    `asked` is set for a request that may be answered together with others.
    """

    __slots__ = ("asked", "done", "is_wanted", "made_at", "work")

    def __init__(
        self,
        work: Callable[[], T],
        done: Callable[[T | BaseException], None],
        made_at: float,
        asked: PredictRequest | None = None,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self.work, self.done, self.asked = work, done, asked
        self.made_at = made_at
        self.is_wanted = is_wanted


class Running:
    """Calls that are being answered together, since `begun_at`."""

    __slots__ = ("begun_at", "calls")

    def __init__(self, calls: list[Call[Any]], begun_at: float) -> None:
        self.calls, self.begun_at = calls, begun_at


class Hot:
    """A core's face to the network; `start` and `open` are called after the fork."""

    def __init__(
        self,
        core: Scorer,
        application: WSGI,
        cfg: Config,
        logger: Logger,
        balance: Balance,
        *,
        wake_fd: int,
        most_requests: int,
        leave: Callable[[str], None],
    ) -> None:
        settings = core.settings
        self.max_body_bytes = settings.max_body_bytes
        self.keep_alive_s = cfg.keepalive
        self.line_bytes = cfg.limit_request_line or 1 << 16
        self.field_bytes = cfg.limit_request_field_size or 1 << 16
        self.fields = cfg.limit_request_fields
        self._core, self._application = core, application
        self._leave = leave
        self._logger = logger if cfg.accesslog or cfg.logconfig or cfg.statsd_host else None
        self._trusts_all = "*" in cfg.forwarded_allow_ips
        self._trusted = cfg.forwarded_allow_networks()
        self._secure = {k.lower().encode(): v for k, v in cfg.secure_scheme_headers.items()}
        self._limit_s = settings.predict_timeout_s
        self._threads = settings.predictor_threads
        self._pace = Admission(self._limit_s)
        self._waiting: deque[Call[Any]] = deque()
        self._running: set[Running] = set()
        self._pages: deque[Call[Any]] = deque()
        self._pages_running = 0
        self._left = most_requests
        self._ids = map(f"{secrets.token_hex(4)}{{:08x}}".format, count())
        self._date = b""
        self.loop = Loop(self._work, self._tick, self._loop_ended, wake_fd)
        self.door = Door(self, cfg.worker_connections, balance)

    @property
    def is_empty(self) -> bool:
        """Whether everything is answered, and everybody gone."""
        return self.door.is_draining and not (self.door.connections or self._running)

    def run(self, work: Callable[[], T]) -> T:
        """Do the work as a prediction, from another thread: its value, or what it raised."""
        outcome: SimpleQueue[T | BaseException] = SimpleQueue()

        def caught() -> T | BaseException:
            try:
                return work()
            except BaseException as error:  # noqa: BLE001 - it is raised again below
                return error

        call = Call(caught, outcome.put, time.monotonic())

        def ask() -> None:
            try:
                self._refuse_if_hopeless()
            except OverloadedError as error:
                outcome.put(error)
            else:
                self._waiting.append(call)

        self.loop.post(ask)
        value = outcome.get()
        if isinstance(value, BaseException):
            raise value
        return value

    # What a connection calls.

    def is_streamed(self, request: Request) -> bool:
        """Whether a request is a batch, which may be larger than memory."""
        content_type = request.header(b"content-type")
        return (
            content_type != JSON_TYPE  # most are that, and should be told apart quickly
            and request.method == b"POST"
            and is_batch(content_type)
            and path_of(request.target).rstrip(b"/") == b"/predict"
        )

    def handle(self, connection: Connection, request: Request) -> None:
        """Answer a request, or have it answered."""
        target = request.target
        if request.is_streamed:
            self._lend(connection, request)
        elif target == b"/predict" and request.method == b"POST":
            self._predict(connection, request)
        elif request.error is not None:
            self._answer_problem(connection, request, request.error)
        elif target == b"/livez" and request.method == b"GET":
            self._respond(connection, request, 200, JSON_TYPE, LIVE)
        elif target == b"/readyz" and request.method == b"GET":
            reason = self._core.not_ready()
            if reason is None:
                self._respond(connection, request, 200, JSON_TYPE, READY)
            else:
                self._answer_page(connection, request)
        elif request.method == b"POST" and path_of(target).rstrip(b"/") == b"/predict":
            self._predict(connection, request)
        else:
            self._answer_page(connection, request)

    def _lend(self, connection: Connection, request: Request) -> None:
        """Have a batch answered by a thread of its own, to which the connection is lent."""
        connection.lend()
        work = partial(self._answer_lent, connection, request)
        try:
            threading.Thread(target=work, name="batch", daemon=True).start()
        except RuntimeError as error:  # the system has no room for more
            self.defect(error)
            connection.take_back(close=True)

    def refuse(self, connection: Connection, status: int, detail: str) -> None:
        """Answer what is no request, and close."""
        request = Request()
        request.keep_alive = False
        title = HTTPStatus(status).phrase
        document = problem(status, title, detail, self._id(request))
        retry_after_s = 1 if status == HTTPStatus.SERVICE_UNAVAILABLE else None
        text = encode(document) + b"\n"
        self._respond(connection, request, status, MEDIA_TYPE, text, retry_after_s)

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self.door.closed(connection)

    def defect(self, error: BaseException) -> None:
        """Log what should not have happened."""
        log.event("defect", level=ERROR, exc_info=error)

    # What is asked.

    def _predict(self, connection: Connection, request: Request) -> None:
        request_id = self._id(request)
        try:
            if request.error is not None:
                raise request.error
            self._refuse_if_hopeless()
        except ServiceError as error:
            self._core.turn_down(error, request_id)
            self._answer_problem(connection, request, error)
            return
        asked = PredictRequest(
            request.header(b"content-type"), request.header(b"content-encoding"), request.body
        )

        def done(outcome: Scored | BaseException) -> None:
            self._predicted(connection, request, request_id, outcome)

        work = partial(self._core.ask, asked)
        self._waiting.append(
            Call(work, done, request.arrived_at, asked, lambda: connection.is_open)
        )

    def _refuse_if_hopeless(self) -> None:
        """Raise OverloadedError when one more call would wait too long."""
        running_s = self.loop.now - min(
            (running.begun_at for running in self._running), default=self.loop.now
        )
        self._pace.reject_if_overloaded(len(self._waiting), self._threads, running_s)

    def _predicted(
        self,
        connection: Connection,
        request: Request,
        request_id: str,
        outcome: Scored | BaseException,
    ) -> None:
        """Answer, count and log a request for a prediction."""
        seconds = time.monotonic() - request.arrived_at
        if isinstance(outcome, Scored):
            self._core.count(outcome, request_id, seconds)
            self._respond(connection, request, 200, JSON_TYPE, outcome.text + b"\n")
        elif isinstance(outcome, ServiceError):
            self._core.turn_down(outcome, request_id, seconds)
            self._answer_problem(connection, request, outcome)
        else:
            self._core.metrics.count_failed()
            self._answer_defect(connection, request, outcome)
        connection.go_on()

    def _answer_page(self, connection: Connection, request: Request) -> None:
        """Have the Flask application answer."""
        environ = self._environ(connection, request)

        def work() -> tuple[int, Headers, bytes] | BaseException:
            try:
                return answer_of(self._application, environ)
            except BaseException as error:  # noqa: BLE001 - it must not end the loop
                return error

        def done(outcome: tuple[int, Headers, bytes] | BaseException) -> None:
            self._pages_running -= 1
            if isinstance(outcome, BaseException):
                self._answer_defect(connection, request, outcome)
            else:
                status, headers, body = outcome
                lines, length = _lines_of(headers)
                self._send(connection, request, status, lines, body, int(length or len(body)))
            connection.go_on()

        self._pages.append(Call(work, done, request.arrived_at))

    def _answer_lent(self, connection: Connection, request: Request) -> None:
        """Have the Flask application answer in this thread, while the body still comes."""
        body, answer = Arriving(connection, request), Answer(connection)
        environ = self._environ(connection, request)
        environ |= {"wsgi.input": body, "wsgi.input_terminated": True}
        close = True
        try:
            status, headers, pieces = begin(self._application, environ)
            try:
                lines, length = _lines_of(headers)
                chunked = length is None and not request.is_old
                length_line = b"" if length is None else b"Content-Length: %d\r\n" % int(length)
                framing = b"Transfer-Encoding: chunked\r\n" if chunked else length_line
                may_stay = (chunked or length is not None) and request.keep_alive
                may_stay = may_stay and not self.door.is_draining
                head = self._head(status, lines + framing, close=not may_stay)
                answer.send(status, head, pieces, chunked=chunked)
            finally:
                end(pieces)
            body.throw_away()
            close = not (may_stay and request.is_whole)
        except OSError:
            pass  # the client is gone, or does not read
        except BaseException as error:  # noqa: BLE001 - the client sees that the answer has no end
            self.defect(error)
        self.loop.post(partial(self._lent_answered, connection, request, answer, close=close))

    def _lent_answered(
        self, connection: Connection, request: Request, answer: Answer, *, close: bool
    ) -> None:
        """Go on with a connection that comes back."""
        connection.take_back(close=close)
        self._note_answered(connection, request, answer.status, answer.size)

    # What the loop calls.

    def _work(self) -> None:
        """Begin what can be begun: the last call here may have cost this thread the lead."""
        ends_at = time.monotonic() + TURN_S
        while True:
            page = self._pages.popleft() if self._pages and self._pages_running < PAGES else None
            if page:
                self._pages_running += 1
                self.loop.outside(page.work, page.done, is_slow=False)
            if self._waiting and len(self._running) < self._threads:
                self._begin()
            elif not page:
                return
            if time.monotonic() > ends_at:
                self.loop.come_back()
                return

    def _begin(self) -> None:
        """Begin with the one that waits longest, and those that can be answered with it."""
        calls = [self._waiting.popleft()]
        if calls[0].asked and self._core.batches:
            while self._waiting and self._waiting[0].asked and len(calls) < MOST_IN_BATCH:
                calls.append(self._waiting.popleft())
        calls = [call for call in calls if call.is_wanted()]
        if not calls:
            return
        running = Running(calls, time.monotonic())
        self._running.add(running)
        if len(calls) == 1:
            one = calls[0].work
            work: Callable[[], Sequence[Any]] = lambda: [one()]  # noqa: E731 - it is the shorter
        else:
            work = partial(self._core.ask_many, [call.asked for call in calls if call.asked])
        # What is no request of its own is many rows of a batch, or was given up before.
        is_slow = self._pace.is_slow or calls[0].asked is None
        self.loop.outside(work, partial(self._finish, running), is_slow=is_slow)

    def _finish(self, running: Running, outcomes: Sequence[Any]) -> None:
        """Answer what was asked, unless it was given up."""
        if running not in self._running:
            return
        self._running.remove(running)
        self._pace.note(time.monotonic() - running.begun_at, len(running.calls))
        for call, outcome in zip(running.calls, outcomes, strict=True):
            call.done(outcome)

    def _tick(self) -> None:
        """Give up what takes too long."""
        now = self.loop.now
        self._date = formatdate(usegmt=True).encode()
        self.door.tick()
        for running in [r for r in self._running if now - r.begun_at > self._limit_s]:
            self._give_up(running)
        if not self._running:
            return
        self.loop.tick_within(0.05)
        while self._waiting and now - self._waiting[0].made_at > self._limit_s:
            self._waiting.popleft().done(not_its_turn(self._limit_s))

    def _give_up(self, running: Running) -> None:
        """Answer calls that have passed the limit; their thread is lost."""
        self._running.remove(running)
        if len(running.calls) == 1:
            error = TimeLimitError(f"the predictor did not answer within {self._limit_s:g} s")
            running.calls[0].done(error)
        else:  # one of them may be what holds up the others
            now = time.monotonic()
            for call in reversed(running.calls):
                call.asked, call.made_at = None, now
                self._waiting.appendleft(call)
        self._leave("a predictor has not come back")

    def _loop_ended(self, error: BaseException) -> None:
        """Have this worker replaced: whatever it was doing is lost."""
        self.defect(error)
        self._leave("its loop has ended")

    # How it is answered.

    def _answer_problem(
        self, connection: Connection, request: Request, error: ServiceError
    ) -> None:
        text = encode(problem_of(error, self._id(request))) + b"\n"
        retry = error.retry_after_s if isinstance(error, OverloadedError) else None
        self._respond(connection, request, error.status, MEDIA_TYPE, text, retry)

    def _answer_defect(
        self, connection: Connection, request: Request, error: BaseException
    ) -> None:
        request_id = self._id(request)
        path = request.target.decode("latin-1")
        log.event("defect", level=ERROR, request=request_id, path=path, exc_info=error)
        text = encode(problem_of_defect(request_id)) + b"\n"
        self._respond(connection, request, 500, MEDIA_TYPE, text)

    def _respond(
        self,
        connection: Connection,
        request: Request,
        status: int,
        media_type: str,
        body: bytes,
        retry_after_s: int | None = None,
    ) -> None:
        retry = "" if retry_after_s is None else f"Retry-After: {retry_after_s}\r\n"
        lines = f"Content-Type: {media_type}\r\n{retry}X-Request-Id: {self._id(request)}\r\n"
        self._send(connection, request, status, lines.encode("latin-1"), body, len(body))

    def _send(
        self,
        connection: Connection,
        request: Request,
        status: int,
        lines: bytes,
        body: bytes,
        length: int,
    ) -> None:
        """Send an answer with these headers, and those that are the protocol's."""
        if not connection.is_open:
            return
        close = not request.keep_alive or self.door.is_draining
        head = self._head(status, lines + b"Content-Length: %d\r\n" % length, close=close)
        connection.answer(head if request.method == b"HEAD" else head + body, close=close)
        self._note_answered(connection, request, status, len(body))

    def _head(self, status: int, lines: bytes, *, close: bool) -> bytes:
        """The head of an answer with these headers, and those that are the protocol's."""
        kept = b"Connection: close\r\n" if close else b"Connection: keep-alive\r\n"
        return b"HTTP/1.1 %d %b\r\nDate: %b\r\n%b%b\r\n" % (
            *(status, REASONS.get(status, b"")),
            *(self._date, lines, kept),
        )

    def _note_answered(
        self, connection: Connection, request: Request, status: int, size: int
    ) -> None:
        """Log an answer where that is wanted, and leave after so many as were asked for."""
        if self._logger:
            self._log_access(self._logger, connection, request, status, size)
        self._left -= 1
        if self._left == 0:
            self._leave("it has answered as many requests as it may")

    def _log_access(
        self, logger: Logger, connection: Connection, request: Request, status: int, sent: int
    ) -> None:
        seconds = time.monotonic() - (request.arrived_at or time.monotonic())
        environ = environ_of(request, scheme="http", server=connection.server, peer=connection.peer)
        headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers
        ]
        reason = REASONS.get(status, b"").decode()
        response: Any = SimpleNamespace(status=f"{status} {reason}", sent=sent, headers=[])
        asked: Any = SimpleNamespace(headers=headers)
        logger.access(response, asked, environ, timedelta(seconds=seconds))

    def _id(self, request: Request) -> str:
        """What the log calls this request: the name the client gave it, or a new one."""
        if not request.id:
            given = request.header(b"x-request-id")
            request.id = given if REQUEST_ID.fullmatch(given) else next(self._ids)
        return request.id

    def _environ(self, connection: Connection, request: Request) -> dict[str, Any]:
        scheme, server = self._scheme(connection, request), connection.server
        return environ_of(request, scheme=scheme, server=server, peer=connection.peer)

    def _scheme(self, connection: Connection, request: Request) -> str:
        """What the client speaks with a proxy that is trusted."""
        peer = connection.peer
        said = any(
            self._secure.get(name) == value.decode("latin-1") for name, value in request.headers
        )
        if not said:
            return "http"
        trusted = self._trusts_all or not isinstance(peer, tuple)
        trusted = trusted or any(ip_address(peer[0]) in network for network in self._trusted)
        return "https" if trusted else "http"


def _lines_of(headers: Headers) -> tuple[bytes, str | None]:
    """Headers as they are sent, and the length that they tell, which is not among them."""
    lines = b"".join(
        f"{name}: {value}\r\n".encode("latin-1")
        for name, value in headers
        if name.lower() != "content-length"
    )
    return lines, next((v for n, v in headers if n.lower() == "content-length"), None)
