"""Interrupts calls of the predictor in the main thread that exceed their timeout.

The main thread cannot be abandoned like other threads. A signal interrupts Python code, a
sleep, or waiting for a lock or the network, but not a computation in C. A lock that the
call has just acquired may stay locked, so the process is replaced afterwards.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from nachlass_service.base.errors import InterruptedCallError

T = TypeVar("T")

INTERRUPTION = getattr(signal, "SIGRTMIN", signal.SIGALRM)
"""A signal that models do not use, where the system has one."""
POLL_S = 0.25
MIN_INTERVAL_S = 0.005
REPEAT_S = 1.0
"""The interval at which a call that catches the exception is interrupted again."""


class Interrupter:
    """Makes calls, one at a time; created and used in the main thread."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._due_at = math.inf
        self._was_interrupted = False
        self._main = threading.get_ident()
        signal.signal(INTERRUPTION, self._interrupt)
        threading.Thread(target=self._watch, name="interrupter", daemon=True).start()

    def call(self, work: Callable[[], T]) -> T | None:
        """Return the result of the work; None if it exceeded the timeout."""
        self._was_interrupted = False
        try:
            self._due_at = time.monotonic() + self._limit_s
            try:
                value = work()
            finally:
                self._due_at = math.inf
        except InterruptedCallError:
            self._due_at = math.inf
            return None
        return None if self._was_interrupted else value

    def _watch(self) -> None:
        """Check the deadline periodically, which is cheaper than a timer for each call."""
        pause_s = max(MIN_INTERVAL_S, min(POLL_S, self._limit_s / 4))
        while True:
            time.sleep(pause_s)
            if time.monotonic() > self._due_at:
                signal.pthread_kill(self._main, INTERRUPTION)

    def _interrupt(self, _sig: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if now > self._due_at:
            self._due_at = now + REPEAT_S
            self._was_interrupted = True
            raise InterruptedCallError
