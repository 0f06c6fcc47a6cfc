"""Real processes that a test forks, like a server its workers."""

import os
import signal
import traceback
from contextlib import contextmanager

TIME_LIMIT_S = 30
"""Time limit after which a child of a failed test ends itself."""


def fork(work):
    """Start a process that does the work; return its pid."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        signal.alarm(TIME_LIMIT_S)
        work()
        status = 0
    except BaseException:  # noqa: BLE001 - printed by the test
        traceback.print_exc()
    finally:
        os._exit(status)


def join(*children):
    """Wait until the children have ended without errors."""
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(children)


def in_child(work):
    """Do the work in a separate process."""
    join(fork(work))


@contextmanager
def killed(work):
    """Start a process, wait until it calls `say`, yield its pid, and kill it."""
    reading, writing = os.pipe()

    def say():
        os.write(writing, b".")

    def work_and_wait():
        work(say)
        while True:
            signal.pause()

    child = fork(work_and_wait)
    os.close(writing)
    try:
        assert os.read(reading, 1) == b"."
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
