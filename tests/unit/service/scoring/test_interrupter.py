"""What ends a call in the main thread that would never end."""

import signal
import threading
import time
from contextlib import suppress

import pytest

from nachlass_service.scoring import interrupter
from nachlass_service.scoring.interrupter import InterruptedCallError, Interrupter

FOREVER_S = 60


@pytest.fixture
def short(monkeypatch):
    """An interrupter with a short limit; the handler of before is there again afterwards."""
    monkeypatch.setattr(interrupter, "AGAIN_S", 0.05)
    before = signal.getsignal(signal.SIGALRM)
    yield Interrupter(0.05)
    signal.signal(signal.SIGALRM, before)


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
    signal.raise_signal(signal.SIGALRM)
    assert it.call(lambda: signal.raise_signal(signal.SIGALRM) or 2) == 2


def test_what_a_call_raises_is_raised(short):
    with pytest.raises(ZeroDivisionError):
        short.call(lambda: 1 / 0)
    signal.raise_signal(signal.SIGALRM)
