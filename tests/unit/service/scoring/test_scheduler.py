"""The order and the thread of calls; no test waits for a time limit to pass."""

import asyncio
import logging
import sys
import threading
import time
from functools import partial
from types import SimpleNamespace

import pytest

from nachlass_service.base import log
from nachlass_service.base.errors import OverloadedError, TimeLimitError
from nachlass_service.scoring.request_body import PredictRequest
from nachlass_service.scoring.scheduler import (
    MAX_IN_BATCH,
    SWITCH_S,
    DisconnectedError,
    Job,
    Scheduler,
)

LIMIT_S = 5.0
PATIENCE_S = 20


class Scorer:
    """Answers with `answer` for each body; records the thread and the bodies of each call."""

    def __init__(self, answer, *, batches, threads):
        self.settings = SimpleNamespace(predict_timeout_s=LIMIT_S, predictor_threads=threads)
        self.batches, self.answer = batches, answer
        self.calls = []

    def _note(self, bodies):
        self.calls.append((threading.current_thread() is threading.main_thread(), bodies))

    def predict(self, request):
        self._note([request.body])
        return self.answer(request.body)

    def predict_many(self, requests):
        self._note([request.body for request in requests])
        return [self.answer(request.body) for request in requests]


class FixedPace:
    """A pace with a fixed answer, even on a busy machine; records the calls it is given."""

    def __init__(self, *, is_slow):
        self.is_slow, self.noted = is_slow, []

    def before(self):
        return "before"

    def note_in_loop(self, wall_s, before):
        self.noted.append(("here", wall_s, before))

    def note_in_thread(self, wall_s):
        self.noted.append(("outside", wall_s))


class Clock:
    """A clock that advances with calls of the predictor."""

    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("nachlass_service.scoring.scheduler.time", clock)
    return clock


@pytest.fixture
def made():
    """Return a function for a scheduler, its scorer and a way to run its loop until a condition."""
    loop, defects = asyncio.new_event_loop(), []
    loop.set_exception_handler(lambda _loop, context: defects.append(context))

    def make(answer=lambda body: body, *, batches=False, threads=1, is_slow=False):
        left = []
        scorer = Scorer(answer, batches=batches, threads=threads)
        scheduler = Scheduler(scorer, loop, left.append)
        scheduler._pace = FixedPace(is_slow=is_slow)
        outcomes = []

        def submit(*bodies, wanted=True):
            for body in bodies:
                request = PredictRequest("application/json", "", body)
                scheduler.submit(Job(outcomes.append, request=request, is_wanted=lambda: wanted))

        async def until(holds):
            ends_at = time.monotonic() + PATIENCE_S
            while not holds():
                assert time.monotonic() < ends_at, "timed out"
                await asyncio.sleep(0.001)

        return SimpleNamespace(
            scheduler=scheduler,
            calls=scorer.calls,
            outcomes=outcomes,
            left=left,
            submit=submit,
            until=lambda holds: loop.run_until_complete(until(holds)),
            loop=loop,
        )

    yield make
    loop.close()
    assert defects == []


def test_short_calls_are_made_in_the_loop_in_order(made):
    it = made()
    it.submit(b"1", b"2", b"3")
    assert it.calls == []
    it.until(lambda: len(it.outcomes) == 3)
    assert it.outcomes == [b"1", b"2", b"3"]
    assert it.calls == [(True, [b"1"]), (True, [b"2"]), (True, [b"3"])]
    assert it.scheduler.is_empty


def test_slow_calls_are_made_in_another_thread(made):
    it = made(is_slow=True)
    it.submit(b"1", b"2")
    it.until(lambda: len(it.outcomes) == 2)
    assert it.calls == [(False, [b"1"]), (False, [b"2"])]


def test_the_number_of_concurrent_calls_is_limited(made):
    free = threading.Event()
    it = made(lambda body: free.wait(PATIENCE_S) and body, threads=2, is_slow=True)
    it.submit(b"1", b"2", b"3")
    it.until(lambda: len(it.calls) == 2)
    assert len(it.scheduler._running) == 2
    free.set()
    it.until(lambda: len(it.outcomes) == 3)


def test_nothing_runs_in_the_loop_while_all_threads_are_busy(made):
    """Some predictors cannot run twice at once."""
    free = threading.Event()
    it = made(lambda body: free.wait(PATIENCE_S) and body, is_slow=True)
    it.submit(b"1")
    it.until(lambda: len(it.calls) == 1)
    it.scheduler._pace.is_slow = False
    it.submit(b"2")
    it.loop.run_until_complete(asyncio.sleep(0.01))
    assert len(it.calls) == 1
    free.set()
    it.until(lambda: len(it.outcomes) == 2)
    assert [here for here, _bodies in it.calls] == [False, True]


def test_the_loop_is_idle_while_nothing_can_start(made):
    free = threading.Event()
    it = made(lambda body: free.wait(PATIENCE_S) and body, is_slow=True)
    it.submit(b"1", b"2")
    it.until(lambda: it.calls)
    assert not it.scheduler._is_scheduled
    free.set()
    it.until(lambda: it.scheduler.is_empty)
    it.scheduler._pace.is_slow = False
    it.submit(b"3")
    it.until(lambda: it.scheduler.is_empty)
    assert not it.scheduler._is_scheduled


def test_queued_requests_are_scored_together(made):
    it = made(batches=True)
    bodies = [b"%d" % number for number in range(MAX_IN_BATCH + 2)]
    it.submit(*bodies)
    it.until(lambda: len(it.outcomes) == len(bodies))
    assert it.outcomes == bodies
    assert [len(together) for _here, together in it.calls] == [MAX_IN_BATCH, 2]


def test_the_work_of_a_batch_runs_alone_and_never_in_the_loop(made):
    it = made(batches=True)
    it.submit(b"1")
    it.scheduler.submit(Job(it.outcomes.append, work=lambda: threading.current_thread().name))
    it.submit(b"2", b"3")
    it.until(lambda: len(it.outcomes) == 4)
    assert it.outcomes == [b"1", "predictor", b"2", b"3"]
    assert [bodies for _here, bodies in it.calls] == [[b"1"], [b"2", b"3"]]


@pytest.mark.parametrize("batches", [True, False])
def test_a_request_without_a_client_is_not_scored(made, batches):
    it = made(batches=batches)
    it.submit(b"1", wanted=False)
    it.submit(b"2")
    it.until(lambda: it.scheduler.is_empty)
    unwanted, wanted = it.outcomes
    assert isinstance(unwanted, DisconnectedError)
    assert wanted == b"2"
    assert [bodies for _here, bodies in it.calls] == [[b"2"]]


def test_a_predictor_sees_no_running_loop_but_its_callback_does(made):
    loops = []
    it = made(lambda body: loops.append(asyncio._get_running_loop()))
    request = PredictRequest("application/json", "", b"1")
    job = Job(lambda outcome: loops.append(asyncio.get_running_loop()), request=request)
    it.scheduler.submit(job)
    it.until(lambda: it.scheduler.is_empty)
    assert loops == [None, it.loop]


def test_the_duration_of_each_request_is_recorded(made, clock):
    def answer(body):
        clock.now += int(body)

    it = made(answer)
    it.submit(b"1", b"2")
    it.until(lambda: it.scheduler.is_empty)
    it.scheduler._pace.is_slow = True
    it.submit(b"3")
    it.scheduler.submit(Job(it.outcomes.append, work=lambda: answer(b"4")))
    it.until(lambda: it.scheduler.is_empty)
    noted = [("here", 1, "before"), ("here", 2, "before"), ("outside", 3)]
    assert it.scheduler._pace.noted == noted


@pytest.mark.parametrize("is_slow", [True, False])
def test_the_switch_interval_is_shortened_after_a_slow_call(made, monkeypatch, is_slow):
    intervals = []
    monkeypatch.setattr(sys, "setswitchinterval", intervals.append)
    it = made(is_slow=is_slow)
    for _ in range(2):
        it.submit(b"1")
        it.until(lambda: it.scheduler.is_empty)
    assert intervals == [SWITCH_S] * is_slow


def test_a_predictor_can_run_its_own_loop(made):
    async def later(body):
        await asyncio.sleep(0)
        return body

    it = made(lambda body: asyncio.run(later(body)))
    it.submit(b"1")
    it.until(lambda: it.outcomes)
    assert it.outcomes == [b"1"]
    assert it.calls == [(True, [b"1"])]


def test_other_threads_can_submit_work(made):
    it = made()
    found = []

    def ask():
        found.append(it.scheduler.run(lambda: 6 * 7))
        try:
            it.scheduler.run(lambda: 1 / 0)
        except ZeroDivisionError as error:
            found.append(type(error))

    threading.Thread(target=ask, daemon=True).start()
    it.until(lambda: len(found) == 2)
    assert found == [42, ZeroDivisionError]


def test_a_request_is_rejected_if_the_queue_takes_too_long(made):
    it = made(is_slow=True)
    it.scheduler._admission.average_s = 2 * LIMIT_S
    it.submit(b"1")
    with pytest.raises(OverloadedError):
        it.submit(b"2")
    raised = []

    def ask():
        try:
            it.scheduler.run(lambda: 1)
        except OverloadedError as error:
            raised.append(error)

    free = threading.Event()
    it.scheduler._hand_over([Job(it.outcomes.append, work=lambda: free.wait(PATIENCE_S))])
    threading.Thread(target=ask, daemon=True).start()
    it.until(lambda: raised)
    free.set()
    it.until(lambda: it.scheduler.is_empty)


@pytest.mark.parametrize(("is_slow", "batches"), [(True, False), (False, False), (False, True)])
def test_the_length_of_the_queue_is_limited_by_its_estimated_duration(
    made, clock, is_slow, batches
):
    clock.now = 1000.0

    def answer(body):
        clock.now += LIMIT_S / 2

    it = made(answer, is_slow=is_slow, batches=batches)
    it.submit(*[b"1"] * (2 if batches else 1))
    it.until(lambda: it.scheduler.is_empty)
    it.submit(*[b"1"] * 11)
    with pytest.raises(
        OverloadedError, match="11 requests are queued, with an estimated wait of 6 s"
    ):
        it.submit(b"1")


def test_a_request_is_rejected_while_a_running_call_takes_too_long(made, clock):
    free = threading.Event()
    it = made(lambda body: free.wait(PATIENCE_S), threads=2, is_slow=True)
    for number in (1, 2):
        it.submit(b"1")
        it.until(lambda number=number: len(it.calls) == number)
        clock.now += LIMIT_S / 2
    it.submit(b"2")
    clock.now += 1
    with pytest.raises(
        OverloadedError, match="1 requests are queued, with an estimated wait of 6 s"
    ):
        it.submit(b"3")
    free.set()
    it.until(lambda: it.scheduler.is_empty)


def test_a_request_queued_longer_than_the_limit_is_rejected(made, clock):
    it = made()
    for now in (0, 1, 2):
        clock.now = now
        it.submit(b"1")
    it.scheduler.tick(LIMIT_S)
    assert it.outcomes == []
    it.scheduler.tick(LIMIT_S + 1.5)
    assert [str(error) for error in it.outcomes] == [
        "the request was queued too long (limit 5 s)"
    ] * 2
    assert not it.left


@pytest.mark.parametrize("how", ["tick", "end"])
def test_an_abandoned_thread_ends_and_its_result_is_dropped(made, clock, how):
    free, threads = threading.Event(), []

    def answer(body):
        threads.append(threading.current_thread())
        return free.wait(PATIENCE_S)

    it = made(answer, is_slow=True)
    it.submit(b"1")
    it.until(lambda: threads)
    it.scheduler.tick(LIMIT_S)
    assert it.outcomes == []
    if how == "tick":
        it.scheduler.tick(LIMIT_S + 1)
    else:
        it.scheduler.end()
    free.set()
    [thread] = threads
    assert thread.daemon
    it.until(lambda: not thread.is_alive())
    it.loop.run_until_complete(asyncio.sleep(0))
    assert [type(outcome) for outcome in it.outcomes] == [TimeLimitError]
    assert it.scheduler._pace.noted == []


def test_a_call_over_the_limit_is_abandoned_and_its_thread_is_replaced(made):
    free = threading.Event()
    it = made(lambda body: free.wait(PATIENCE_S) if body == b"hangs" else body, is_slow=True)
    it.submit(b"hangs", b"2")
    it.until(lambda: it.calls)
    it.scheduler.tick(time.monotonic())
    assert not it.outcomes
    it.scheduler.tick(time.monotonic() + LIMIT_S + 1)
    [error, turned_away] = it.outcomes
    assert isinstance(error, TimeLimitError)
    assert str(error) == "the predictor did not answer in time (limit 5 s)"
    assert isinstance(turned_away, OverloadedError)
    assert it.left == ["time_limit"]
    it.submit(b"3")
    it.until(lambda: len(it.outcomes) == 3)
    assert it.outcomes[2] == b"3"
    free.set()
    it.until(lambda: it.scheduler.is_empty)
    it.loop.run_until_complete(asyncio.sleep(0.01))
    assert len(it.outcomes) == 3


def test_requests_that_hang_together_are_scored_one_by_one(made):
    free = threading.Event()
    it = made(lambda body: free.wait(PATIENCE_S) if body == b"hangs" else body, batches=True)
    it.scheduler._pace.is_slow = True
    it.submit(b"1", b"hangs", b"3")
    it.until(lambda: it.calls)
    it.scheduler.tick(time.monotonic() + LIMIT_S + 1)
    it.until(lambda: len(it.calls) == 3)
    assert it.outcomes == [b"1"]
    it.scheduler.tick(time.monotonic() + LIMIT_S + 1)
    it.until(lambda: len(it.outcomes) == 3)
    assert isinstance(it.outcomes[1], TimeLimitError)
    free.set()


def test_one_turn_of_the_loop_does_not_run_everything(made):
    it = made(lambda body: time.sleep(0.001) or body)
    it.submit(*[b"1"] * 20)
    seen = []
    it.loop.call_soon(lambda: it.loop.call_soon(lambda: seen.append(len(it.outcomes))))
    it.until(lambda: len(it.outcomes) == 20)
    assert seen[0] < 20


def test_one_turn_of_the_loop_runs_all_instant_calls(made, clock):
    it, seen = made(), []
    it.submit(b"0", wanted=False)
    it.submit(b"1", b"2", b"3")
    it.loop.call_soon(lambda: seen.extend(it.outcomes))
    it.until(lambda: it.scheduler.is_empty)
    assert [type(seen[0]), *seen[1:]] == [DisconnectedError, b"1", b"2", b"3"]


@pytest.mark.parametrize("is_slow", [True, False])
def test_a_failing_callback_does_not_affect_other_requests(made, monkeypatch, is_slow):
    records = []
    monkeypatch.setattr(log.handler, "handle", records.append)
    it = made(batches=True, is_slow=is_slow)

    def broken(outcome):
        raise ZeroDivisionError

    it.scheduler.submit(Job(broken, request=PredictRequest("application/json", "", b"1")))
    it.submit(b"2")
    it.scheduler.submit(Job(broken, work=lambda: 3))
    it.submit(b"4")
    it.until(lambda: len(it.outcomes) == 2)
    assert it.outcomes == [b"2", b"4"]
    assert it.scheduler.is_empty
    logged = [(record.levelno, record.getMessage(), record.exc_info[0]) for record in records]
    assert logged == [(logging.ERROR, "defect", ZeroDivisionError)] * 2


def test_a_failing_callback_of_an_abandoned_call_is_handled(made):
    free = threading.Event()
    it = made(lambda body: free.wait(PATIENCE_S), is_slow=True)

    def broken(outcome):
        raise ZeroDivisionError

    it.scheduler.submit(Job(broken, request=PredictRequest("application/json", "", b"1")))
    it.until(lambda: it.calls)
    it.scheduler.tick(time.monotonic() + LIMIT_S + 1)
    assert it.left == ["time_limit"]
    free.set()


def test_a_closed_loop_is_ignored(made):
    it = made(is_slow=True)
    free = threading.Event()
    it.scheduler._hand_over([Job(it.outcomes.append, work=partial(free.wait, PATIENCE_S))])
    it.loop.close()
    free.set()
    assert not it.outcomes


def test_everything_is_answered_before_the_worker_ends(made):
    free = threading.Event()
    it = made(lambda body: free.wait(PATIENCE_S), batches=True, is_slow=True)
    it.submit(b"1", b"2")
    it.until(lambda: it.calls)
    it.submit(b"3")
    it.scheduler.end()
    assert [type(outcome) for outcome in it.outcomes] == [TimeLimitError] * 2 + [OverloadedError]
    assert str(it.outcomes[1]) == "the predictor did not answer before the worker shut down"
    assert (str(it.outcomes[2]), it.outcomes[2].retry_after_s) == ("the worker is shutting down", 1)
    assert it.scheduler.is_empty
    free.set()
    it.loop.run_until_complete(asyncio.sleep(0.01))
    assert len(it.outcomes) == 3


def interrupted(scheduler, calls):
    """Make calls in the loop end as if they had timed out."""

    def call(work):
        calls.append(work)

    scheduler._interrupter = SimpleNamespace(call=call)


def test_a_call_in_the_loop_over_the_limit_times_out(made):
    it, calls = made(), []
    interrupted(it.scheduler, calls)
    it.submit(b"1")
    it.until(lambda: it.outcomes)
    assert isinstance(it.outcomes[0], TimeLimitError)
    assert it.left == ["time_limit"]
    assert it.scheduler.is_empty


def test_interrupted_requests_are_scored_one_by_one_in_a_thread(made, clock):
    it, calls = made(batches=True), []
    interrupted(it.scheduler, calls)
    it.submit(b"1", b"2", b"3")
    clock.now = LIMIT_S
    it.until(lambda: calls)
    it.scheduler.tick(LIMIT_S + 1)  # their time starts again
    it.until(lambda: len(it.outcomes) == 3)
    assert len(calls) == 1
    assert it.outcomes == [b"1", b"2", b"3"]
    assert it.calls == [(False, [b"1"]), (False, [b"2"]), (False, [b"3"])]
