"""A gunicorn worker with an event loop of uvloop, or of asyncio if that is not installed."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from gunicorn.sock import ssl_context
from gunicorn.workers.base import Worker

from nachlass_service.http.acceptor import Acceptor
from nachlass_service.http.access_log import AccessLog
from nachlass_service.http.balance import Balance
from nachlass_service.http.handler import RequestHandler
from nachlass_service.scoring.scorer import Run, Scorer

TICK_S = 0.25
BUSY_TICK_S = 0.05
"""The tick while a call runs that may exceed its timeout."""
NOTIFY_S = 1.0
HELD_UP_S = 1.0
"""A tick this late was delayed by a call, so pending data is read before deadlines apply."""
DRAIN_SHARE = 0.96
"""The share of the graceful timeout after which all pending requests are answered."""


class AsyncWorker(Worker):
    """A worker whose main thread runs the loop."""

    def begin(
        self,
        scorer: Scorer,
        balance: Balance,
        replace_worker: Callable[[str], None],
        get_ready: Callable[[], None],
    ) -> Run:
        """Create the loop for `run`, and return the function that makes predictions in it.

        Once the loop runs, `get_ready` is called in another thread; then the port is opened.
        """
        self._get_ready = get_ready
        self._loop = _new_loop()
        self._scorer = scorer
        self._handler = RequestHandler(
            scorer,
            self.wsgi,
            self.cfg,
            self._loop,
            access_log=AccessLog(
                self.cfg, self.log, scorer.metrics, self.max_requests, replace_worker
            ),
            replace_worker=replace_worker,
        )
        self._acceptor = Acceptor(
            self._loop,
            self._handler,
            balance,
            limit=self.cfg.worker_connections,
            tls=ssl_context(self.cfg) if self.cfg.is_ssl else None,
        )
        return self._handler.scheduler.run

    def run(self) -> None:
        """Serve until a signal arrives or the master is gone."""
        self._notified_at = 0.0
        self._tick_due_at = time.monotonic()
        self._ends_at = float("inf")
        for name in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(name, self._drain)
        self._loop.add_signal_handler(signal.SIGQUIT, self._loop.stop)
        self._loop.set_exception_handler(self._note_defect)
        threading.Thread(target=self._open, name="warm-up", daemon=True).start()
        self._tick()
        self._loop.run_forever()

    def _open(self) -> None:
        try:
            self._get_ready()
        except BaseException as error:  # noqa: BLE001 - the master starts another worker
            self._handler.defect(error)
            self._loop.call_soon_threadsafe(self._loop.stop)
            return
        sockets: list[Any] = [listener.sock for listener in self.sockets]  # type: ignore[attr-defined]
        self._loop.call_soon_threadsafe(self._acceptor.open, sockets)

    def _tick(self) -> None:
        """Do the periodic work: deadlines, the Date header, the heartbeat to the master."""
        now = time.monotonic()
        scheduler, acceptor = self._handler.scheduler, self._acceptor
        is_busy = acceptor.is_draining or not scheduler.is_empty
        pause_s = BUSY_TICK_S if is_busy else TICK_S
        late_s, self._tick_due_at = now - self._tick_due_at, now + pause_s
        self._loop.call_later(pause_s, self._tick)
        if now - self._notified_at >= NOTIFY_S or acceptor.is_draining:
            self._notified_at = now
            self.notify()
        if self.ppid != os.getppid() or not self.alive:
            self._drain()
        self._handler.responder.heads.tick()
        if late_s > HELD_UP_S:
            acceptor.extend_deadlines(late_s)
        else:
            scheduler.tick(now)
            acceptor.tick(now)
        self._handler.budget.tick(now)
        if acceptor.is_empty and scheduler.is_empty:
            self._loop.stop()
        elif now > self._ends_at:
            self._ends_at = float("inf")
            scheduler.end()
            last_s = (1 - DRAIN_SHARE) * self.cfg.graceful_timeout
            self._loop.call_later(last_s / 2, self._loop.stop)

    def _note_defect(self, _loop: object, context: dict[str, Any]) -> None:
        """Log an unexpected exception in a callback of the loop."""
        self._handler.defect(context.get("exception") or RuntimeError(context["message"]))

    def _drain(self) -> None:
        """Answer pending requests, then shut down."""
        if self._acceptor.is_draining:
            return
        self.alive = False
        self._scorer.begin_shutdown()
        self._ends_at = time.monotonic() + DRAIN_SHARE * self.cfg.graceful_timeout
        self._acceptor.drain()
        self._handler.responder.is_draining = True


def _new_loop() -> asyncio.AbstractEventLoop:
    """Return a loop of uvloop if it is installed, which is faster, else of asyncio."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
