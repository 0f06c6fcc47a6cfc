"""Real processes that a test forks, as a server does its workers."""

import os
import signal
import traceback
from contextlib import contextmanager

LONGEST_S = 30
"""A child of a test that went wrong ends by itself."""


def fork(work):
    """Start a process that does the work; its pid."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        signal.alarm(LONGEST_S)
        work()
        status = 0
    except BaseException:  # noqa: BLE001 - the test shows it
        traceback.print_exc()
    finally:
        os._exit(status)


def join(*children):
    """Wait until they have ended, without errors."""
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(children)


def in_child(work):
    """Do the work in a process of its own."""
    join(fork(work))


@contextmanager
def killed(work):
    """A process that is killed at the end of the block, which begins once it calls `say`."""
    heard, told = os.pipe()

    def say():
        os.write(told, b".")

    def work_and_wait():
        work(say)
        while True:
            signal.pause()

    child = fork(work_and_wait)
    os.close(told)
    try:
        assert os.read(heard, 1) == b"."
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(heard)
