"""What ends a call in the main thread that would never end."""

import signal
import threading
import time
from contextlib import suppress

import pytest

from nachlass_service.base.errors import InterruptedCallError, PredictorError
from nachlass_service.bundle.model import Model
from nachlass_service.scoring import interrupter
from nachlass_service.scoring.interrupter import INTERRUPTION, Interrupter
from nachlass_service.scoring.request_body import PredictRequest, Requests
from nachlass_service.scoring.rows import RowScorer
from nachlass_service.scoring.sample_schema import SampleSchema

FOREVER_S = 60


@pytest.fixture
def short(monkeypatch):
    """An interrupter with a short limit; the handler of before is there again afterwards."""
    monkeypatch.setattr(interrupter, "AGAIN_S", 0.05)
    before = signal.getsignal(INTERRUPTION)
    yield Interrupter(0.05)
    signal.signal(INTERRUPTION, before)


def compute():
    while True:
        pass


def wait_for_a_lock():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


@pytest.mark.parametrize("work", [compute, wait_for_a_lock, lambda: time.sleep(FOREVER_S)])
def test_a_call_that_passes_the_limit_is_interrupted(short, work):
    began_at = time.monotonic()
    assert short.call(work) is None
    assert time.monotonic() - began_at < FOREVER_S / 2
    assert short.call(lambda: 42) == 42


def test_a_call_that_catches_everything_once_is_interrupted_again(short):
    caught = []

    def stubborn():
        try:
            compute()
        except InterruptedCallError as error:
            caught.append(error)
        compute()

    assert short.call(stubborn) is None
    assert len(caught) == 1


def test_a_call_that_catches_the_interruption_has_passed_the_limit(short):
    def stubborn():
        with suppress(BaseException):
            compute()
        return 1

    assert short.call(stubborn) is None


def test_what_ends_in_time_is_left_alone():
    it = Interrupter(FOREVER_S)
    assert it.call(lambda: 1) == 1
    signal.raise_signal(INTERRUPTION)
    assert it.call(lambda: signal.raise_signal(INTERRUPTION) or 2) == 2


def test_what_a_call_raises_is_raised(short):
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
def test_the_first_interruption_ends_all_that_is_scored_together(short, model):
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


def test_what_cannot_be_json_in_time_is_no_failure_of_the_predictor(short):
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
