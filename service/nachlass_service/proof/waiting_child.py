"""Forks a child that waits for work, before the parent calls the model for the first time."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress

FAILED = 1
END = b"\n"
PIECE_BYTES = 1 << 16


def fork(work: Callable[[], int]) -> int:
    """Start a child in its own session that exits with the status that `work` returns."""
    child = os.fork()
    if child:
        return child
    # The session is killed later, and with it the processes that the predictor starts.
    os.setsid()
    status = FAILED
    try:
        # The main thread is the most likely to use state that a library made before the fork.
        status = work()
    finally:
        os._exit(status)


def kill(child: int) -> None:
    """Kill a child and the processes that it started."""
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


class WaitingChild:
    """A child that waits for one line, and answers it with another line.

    A child that crashes, hangs or raises gives no answer. It exits when the parent does.
    """

    def __init__(self, work: Callable[[bytes], bytes]) -> None:
        asked, self._ask = os.pipe()
        self._answer, answered = os.pipe()

        def answer() -> int:
            os.close(self._ask)
            with os.fdopen(asked, "rb") as questions, os.fdopen(answered, "wb") as answers:
                if question := questions.readline():
                    answers.write(work(question) + END)
            return 0

        self._child = fork(answer)
        os.close(asked)
        os.close(answered)

    def answer(self, question: bytes, limit_s: float) -> bytes | None:
        """Return the answer to one line, None if there is none within `limit_s` seconds."""
        ends_at = time.monotonic() + limit_s
        with suppress(BrokenPipeError):  # it was killed
            os.write(self._ask, question + END)
        answer = b""
        while not answer.endswith(END):
            left_s = max(0.0, ends_at - time.monotonic())
            if not select.select([self._answer], [], [], left_s)[0]:
                return None
            if not (piece := os.read(self._answer, PIECE_BYTES)):
                return None
            answer += piece
        return answer

    def end(self) -> None:
        """End the child."""
        for pipe in (self._ask, self._answer):
            os.close(pipe)
        kill(self._child)
        os.waitpid(self._child, 0)
