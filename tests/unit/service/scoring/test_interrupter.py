"""The interruption of endless calls in the main thread."""

import math
import signal
import threading
import time
from contextlib import suppress
from queue import SimpleQueue

import pytest

from nachlass_service.base.errors import InterruptedCallError, PredictorError
from nachlass_service.bundle.model import Model
from nachlass_service.scoring import interrupter
from nachlass_service.scoring.interrupter import INTERRUPTION, REPEAT_S, Interrupter
from nachlass_service.scoring.request_body import PredictRequest, Requests
from nachlass_service.scoring.rows import RowScorer
from nachlass_service.scoring.sample_schema import SampleSchema

FOREVER_S = 60


@pytest.fixture(autouse=True)
def _handler():
    """Restore the previous signal handler."""
    before = signal.getsignal(INTERRUPTION)
    yield
    signal.signal(INTERRUPTION, before)


@pytest.fixture
def short(monkeypatch):
    """Return an interrupter with a short limit."""
    monkeypatch.setattr(interrupter, "REPEAT_S", 0.05)
    return Interrupter(0.05)


class Clock:
    """A clock that a test sets; threads that sleep by it do so until the test is over."""

    def __init__(self):
        self.now, self.pauses, self.is_over = 0.0, SimpleQueue(), threading.Event()

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.pauses.put((threading.current_thread(), seconds))
        self.is_over.wait(FOREVER_S)


@pytest.fixture
def clock():
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interrupter, "time", clock)
        yield clock
    clock.is_over.set()


def compute():
    while True:
        pass


def wait_for_a_lock():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


@pytest.mark.parametrize("work", [compute, wait_for_a_lock, lambda: time.sleep(FOREVER_S)])
def test_a_call_over_the_time_limit_is_interrupted(short, work):
    began_at = time.monotonic()
    assert short.call(work) is None
    assert time.monotonic() - began_at < FOREVER_S / 2
    assert short.call(lambda: 42) == 42


def test_a_call_that_catches_an_interruption_is_interrupted_again(short):
    caught = []

    def stubborn():
        try:
            compute()
        except InterruptedCallError as error:
            caught.append(error)
        compute()

    assert short.call(stubborn) is None
    assert len(caught) == 1


def test_a_call_that_suppresses_the_interruption_has_timed_out(short):
    def stubborn():
        with suppress(BaseException):
            compute()
        return 1

    assert short.call(stubborn) is None


@pytest.mark.parametrize(("limit_s", "pause_s"), [(0.01, 0.005), (0.4, 0.1), (5, 0.25)])
def test_the_thread_checks_a_few_times_before_the_limit(clock, limit_s, pause_s):
    before = set(threading.enumerate())
    Interrupter(limit_s)
    [thread] = set(threading.enumerate()) - before
    assert (thread.name, thread.daemon) == ("interrupter", True)
    paused = None
    while paused is not thread:  # threads of other tests also sleep
        paused, seconds = clock.pauses.get(timeout=FOREVER_S)
    assert seconds == pause_s


def is_interrupted():
    """Return whether a signal interrupts the current call."""
    try:
        signal.raise_signal(INTERRUPTION)
    except InterruptedCallError:
        return True
    return False


def test_a_signal_interrupts_only_calls_over_the_limit(clock):
    it, seen = Interrupter(5), []

    def work():
        for now in (5, 5.1, 5.1 + REPEAT_S, 5.2 + REPEAT_S):
            clock.now = now
            seen.append(is_interrupted())

    assert not is_interrupted()
    assert it.call(work) is None
    assert seen == [False, True, False, True]
    clock.now = 100
    assert not is_interrupted()
    assert it.call(is_interrupted) is False


def test_a_call_can_be_interrupted_as_it_ends(clock):
    class Unlucky(Interrupter):
        def __setattr__(self, name, value):
            if (name, value, clock.now) == ("_due_at", math.inf, 6):
                clock.now = 7
                signal.raise_signal(INTERRUPTION)
            super().__setattr__(name, value)

    def work():
        clock.now = 6
        return 42

    assert Unlucky(5).call(work) is None
    clock.now = 100
    assert not is_interrupted()


def test_a_call_within_the_limit_is_not_interrupted():
    it = Interrupter(FOREVER_S)
    assert it.call(lambda: 1) == 1
    signal.raise_signal(INTERRUPTION)
    assert it.call(lambda: signal.raise_signal(INTERRUPTION) or 2) == 2


def test_exceptions_of_a_call_are_raised(short):
    with pytest.raises(ZeroDivisionError):
        short.call(lambda: 1 / 0)
    signal.raise_signal(INTERRUPTION)


class Metrics:
    """Counts nothing."""

    def bin_features(self, samples):
        return ()

    def bin_each(self, samples):
        return [()] * len(samples)


HANGING = {
    "the predictor": Model(predictor=lambda sample: compute()),
    "the validator": Model(predictor=lambda sample: sample, validator=lambda sample: compute()),
    "the batch": Model(predictor=lambda sample: sample, batch_predictor=lambda samples: compute()),
}


@pytest.mark.parametrize("model", HANGING.values(), ids=HANGING.keys())
def test_the_first_interruption_ends_all_samples_scored_together(short, model):
    interrupted = []

    def work():
        scorer = RowScorer(model, Metrics(), SampleSchema(True), BaseException)
        requests = Requests([PredictRequest("", "", b"1"), PredictRequest("", "", b"2")])
        try:
            return list(scorer.score(requests, at_once=True))
        except InterruptedCallError as error:
            interrupted.append(error)

    assert short.call(work) is None
    assert len(interrupted) == 1


def test_a_timeout_of_the_json_conversion_is_not_a_failure_of_the_predictor(short):
    class Endless:
        def tolist(self):
            compute()

    model = Model(predictor=lambda sample: Endless())
    raised = []

    def work():
        try:
            model.predict(1)
        except (InterruptedCallError, PredictorError) as error:
            raised.append(type(error))

    assert short.call(work) is None
    assert raised == [InterruptedCallError]
