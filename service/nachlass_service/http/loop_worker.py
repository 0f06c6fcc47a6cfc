"""gunicorn's worker around our own loop."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from gunicorn.workers.base import Worker

from nachlass_service.http.balance import Balance
from nachlass_service.http.hot import Hot
from nachlass_service.scoring.scorer import Run, Scorer

NOTIFY_S = 1.0
STANDSTILL_S = 10
"""A loop that has not turned for so long is given up: the master is not notified any more."""


class LoopWorker(Worker):
    """A worker whose main thread only listens to signals, and sees that the loop is not held up."""

    def begin(self, core: Scorer, balance: Balance, leave: Callable[[str], None]) -> Run:
        """Start the loop, without a port yet; how predictions are made there."""

        def wake_and_leave(why: str) -> None:
            leave(why)
            os.write(self.PIPE[1], b".")

        self._core = core
        self._hot = Hot(
            core,
            self.wsgi,
            self.cfg,
            self.log,
            balance,
            wake_fd=self.PIPE[1],
            most_requests=self.max_requests,
            leave=wake_and_leave,
        )
        self._hot.loop.start()
        return self._hot.run

    def run(self) -> None:
        """Serve until a signal says otherwise, or the master is gone."""
        hot = self._hot
        hot.loop.post(lambda: hot.door.open(self.sockets))
        notified_at = 0.0
        while self.alive and self.ppid == os.getppid():
            now = time.monotonic()
            if now - notified_at >= NOTIFY_S and now - hot.loop.now < STANDSTILL_S:
                self.notify()
                notified_at = now
            hot.loop.watch(self.PIPE[0], NOTIFY_S)
        self._core.end_soon()
        hot.loop.post(hot.door.drain)
        ends_at = time.monotonic() + self.cfg.graceful_timeout
        while not hot.is_empty and time.monotonic() < ends_at:
            self.notify()
            hot.loop.watch(self.PIPE[0], 0.05)
