"""Calls of the scorer, the application and the scheduler for each request."""

import asyncio
from types import SimpleNamespace

import pytest
from gunicorn.config import Config

from nachlass_service.base.errors import OverloadedError, RefusedError, TooLargeError
from nachlass_service.http.batch_handler import STREAMS
from nachlass_service.http.handler import LARGE_BYTES, RequestHandler
from nachlass_service.http.head import Rejection
from nachlass_service.http.interfaces import Endpoints
from nachlass_service.http.request import Request
from nachlass_service.http.router import is_streamed
from nachlass_service.scoring.scheduler import DisconnectedError
from nachlass_service.scoring.scorer import Scored


class Connection:
    """Records its answers."""

    endpoints = Endpoints(("127.0.0.1", 1), ("127.0.0.1", 1), is_encrypted=False)

    def __init__(self):
        self.is_open, self.sent = True, []

    def answer(self, response, *, close):
        self.sent.append((response, close))

    @property
    def status(self):
        [(response, _close)] = self.sent
        return int(response.split()[1])


class Scorer:
    settings = SimpleNamespace(max_body_bytes=1000, predict_timeout_s=5, predictor_threads=1)
    batches = False
    bundle = SimpleNamespace(manifest=SimpleNamespace(digest="0123"))

    def __init__(self):
        self.counted, self.turned_down, self.failed = [], [], 0
        self.begun, self.ended = 0, []
        self.metrics = SimpleNamespace(count_failed=self._fail, begin=self._begin, end=self._end)
        self.reason = None

    def _begin(self):
        self.begun += 1

    def _end(self, *arguments):
        self.ended.append(arguments)

    def _fail(self):
        self.failed += 1

    def predict(self, request):
        return Scored(request.body, [request.body], ())

    def count(self, scored, request_id, seconds):
        self.counted.append((scored.text, request_id))

    def reject(self, error, request_id, seconds=0.0):
        self.turned_down.append((error, request_id))

    def not_ready(self):
        return self.reason


@pytest.fixture
def made():
    """Return a handler whose scheduler only records jobs."""
    loop = asyncio.new_event_loop()
    scorer, jobs = Scorer(), []
    noted = SimpleNamespace(note=lambda *_: None)

    def page(environ, start_response):
        start_response("404 NOT FOUND", [("Content-Type", "text/plain")])
        return [environ["PATH_INFO"].encode()]

    handler = RequestHandler(
        scorer, page, Config(), loop, access_log=noted, replace_worker=lambda _why: None
    )
    handler.scheduler = SimpleNamespace(submit=jobs.append)

    def handle(method=b"POST", target=b"/predict", body=b"[1]", **attributes):
        request, connection = Request(), Connection()
        request.method, request.target, request.body = method, target, body
        request.headers = [(b"content-type", b"application/json"), (b"x-request-id", b"mine")]
        request.is_streamed = is_streamed(request)
        for name, value in attributes.items():
            setattr(request, name, value)
        handler.handle(connection, request)
        return connection

    yield SimpleNamespace(handler=handler, handle=handle, jobs=jobs, scorer=scorer, loop=loop)
    loop.close()


def test_a_prediction_is_counted_and_sent_with_the_clients_request_id(made):
    connection = made.handle()
    [job] = made.jobs
    assert (job.request.body, job.work) == (b"[1]", None)
    job.done(Scored(b"42", [42], ()))
    [(response, close)] = connection.sent
    assert response.endswith(b"\r\n\r\n42\n")
    assert b"X-Request-Id: mine\r\n" in response
    assert not close
    assert made.scorer.counted == [(b"42", "mine")]


@pytest.mark.parametrize("size", [LARGE_BYTES, LARGE_BYTES + 1])
def test_a_large_body_is_not_decoded_in_the_loop(made, size):
    made.handle(body=b"x" * size)
    [job] = made.jobs
    if size > LARGE_BYTES:
        assert job.request is None
        assert job.work().text == b"x" * size
    else:
        assert job.work is None


def test_a_request_without_a_client_is_not_scored(made):
    connection = made.handle()
    [job] = made.jobs
    assert job.is_wanted()
    connection.is_open = False
    assert not job.is_wanted()
    job.done(DisconnectedError())
    assert made.scorer.ended == [("predict", None)]
    assert connection.sent == made.scorer.turned_down == []


def test_a_request_whose_answer_fails_to_start_is_counted_as_ended(made, monkeypatch):
    monkeypatch.setattr(made.handler._pages, "submit", lambda _work: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        made.handle(b"GET", b"/nothing", b"")
    assert made.scorer.begun == len(made.scorer.ended) == 1


def test_an_error_is_answered_and_counted_as_rejected(made):
    connection = made.handle()
    [job] = made.jobs
    error = RefusedError("no")
    job.done(error)
    assert connection.status == 422
    assert made.scorer.turned_down == [(error, "mine")]


@pytest.mark.parametrize("raised", [ZeroDivisionError("by what"), SystemExit(1)])
def test_a_defect_is_counted_and_its_message_is_not_sent(made, raised):
    connection = made.handle()
    [job] = made.jobs
    job.done(raised)
    assert connection.status == 500
    assert b"by what" not in connection.sent[0][0]
    assert made.scorer.failed == 1


def test_an_outcome_that_cannot_be_counted_is_a_defect(made):
    connection = made.handle()
    made.scorer.count = None
    [job] = made.jobs
    job.done(Scored(b"42", [42], ()))
    assert connection.status == 500


def test_a_body_over_the_limit_is_rejected_at_once(made):
    error = TooLargeError("too large")
    connection = made.handle(error=error, keep_alive=False)
    assert connection.status == 413
    assert connection.sent[0][1]
    assert made.scorer.turned_down == [(error, "mine")]
    assert not made.jobs


def test_an_overloaded_scheduler_rejects_requests(made):
    def refuse(job):
        raise OverloadedError("many", 3)

    made.handler.scheduler.submit = refuse
    connection = made.handle()
    assert connection.status == 503
    assert b"Retry-After: 3\r\n" in connection.sent[0][0]
    assert len(made.scorer.turned_down) == 1


def test_a_rejected_body_for_a_page_is_not_counted_as_a_prediction(made):
    connection = made.handle(b"POST", b"/metrics", error=TooLargeError("too large"))
    assert connection.status == 413
    assert not made.scorer.turned_down


def test_health_is_answered_without_the_application(made):
    assert made.handle(b"GET", b"/livez").status == 200
    assert made.handle(b"GET", b"/readyz").status == 200


@pytest.mark.parametrize(
    "outcome", [Scored(b"42", [42], ()), RefusedError("no"), ZeroDivisionError("a defect")]
)
def test_a_response_of_the_model_has_its_digest(made, outcome):
    connection = made.handle()
    [job] = made.jobs
    job.done(outcome)
    [(response, _close)] = connection.sent
    assert response.count(b"\r\nModel-Digest: 0123\r\n") == 1


def test_a_rejected_prediction_has_the_digest_of_the_model(made):
    turned_down = made.handle(error=TooLargeError("too large"))
    made.handler._batches._streams = STREAMS
    batch = made.handle(is_streamed=True, headers=[(b"content-type", b"text/csv")])
    for connection in (turned_down, batch):
        assert b"\r\nModel-Digest: 0123\r\n" in connection.sent[0][0]
    others = [
        made.handle(b"GET", b"/livez"),
        made.handle(b"POST", b"/metrics", error=TooLargeError("too large")),
    ]
    for connection in others:
        assert b"Model-Digest" not in connection.sent[0][0]


@pytest.mark.parametrize("target", [b"/nothing", b"/readyz"])
def test_other_requests_are_answered_by_the_application(made, target):
    made.scorer.reason = "not yet"
    connection = made.handle(b"GET", target)
    assert not connection.sent

    async def until_sent():
        while not connection.sent:
            await asyncio.sleep(0.001)

    made.loop.run_until_complete(asyncio.wait_for(until_sent(), 20))
    assert connection.status == 404
    assert connection.sent[0][0].endswith(target)


def test_a_failing_application_is_a_defect(made):
    made.handler._application = None
    connection = made.handle(b"GET", b"/nothing")

    async def until_sent():
        while not connection.sent:
            await asyncio.sleep(0.001)

    made.loop.run_until_complete(asyncio.wait_for(until_sent(), 20))
    assert connection.status == 500


def test_the_number_of_concurrent_batches_is_limited(made):
    made.handler._batches._streams = STREAMS
    connection = made.handle(is_streamed=True, headers=[(b"content-type", b"text/csv")])
    assert connection.status == 503
    [(response, close)] = connection.sent
    assert close
    assert b"too many batches" in response
    assert len(made.scorer.turned_down) == 1


def test_every_response_during_a_drain_closes_the_connection(made):
    made.handler.responder.is_draining = True
    [(_response, close)] = made.handle(b"GET", b"/livez").sent
    assert close


def test_an_invalid_request_is_rejected_and_its_connection_closed(made):
    connection = Connection()
    made.handler.reject(connection, Rejection(431, "too many headers"))
    assert connection.status == 431
    [(response, close)] = connection.sent
    assert close
    assert b"too many headers" in response
