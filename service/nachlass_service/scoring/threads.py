"""Runs the user's code in threads that can be abandoned.

A thread cannot be killed: one whose call exceeds its timeout is counted as lost and
replaced at once, and `on_lost` is called to replace the process too. The threads are
daemons, so a lost one does not keep the process from exiting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from nachlass_service.base.errors import TimeLimitError
from nachlass_service.scoring.admission import SHORT_WAIT_S, Admission, overloaded, queued_too_long

T = TypeVar("T")


class Pool:
    """A few threads with a queue; `run` may be called from many other threads."""

    def __init__(
        self,
        threads: int,
        *,
        limit_s: float,
        longest_queue: int,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._limit_s = limit_s
        self._longest_queue = longest_queue
        self._on_lost = on_lost
        self._threads = threads
        self._lock = threading.Lock()
        self._queue: SimpleQueue[_Job[Any]] = SimpleQueue()
        self._waiting = 0
        self._running: dict[_Job[Any], float] = {}
        self._admission = Admission(limit_s)
        for _ in range(threads):
            self._add_thread()

    def run(self, work: Callable[[], T]) -> T:
        """Do the work in one of the threads, and return or raise its outcome.

        Raises OverloadedError when the queue is too long, and TimeLimitError when the
        work was started but did not end in time.
        """
        job = _Job(work)
        with self._lock:
            self._admit()
            self._waiting += 1
        self._queue.put(job)
        if job.done.acquire(timeout=self._limit_s):
            return job.outcome()
        # The predictor's timeout does not include the time in the queue.
        ends_at = self._begun_at(job) + self._limit_s
        if job.done.acquire(timeout=max(0.0, ends_at - time.monotonic())):
            return job.outcome()
        return self._give_up(job)

    def _admit(self) -> None:
        """Reject a call that would wait too long or take the last thread for health checks."""
        running_s = 0.0
        if len(self._running) >= self._threads:
            running_s = time.monotonic() - min(self._running.values())
        self._admission.reject_if_overloaded(self._waiting, self._threads, running_s)
        wait_s = self._admission.wait_s(self._waiting, self._threads, running_s)
        if wait_s > SHORT_WAIT_S and self._waiting >= self._longest_queue:
            raise overloaded(self._waiting, wait_s)

    def _begun_at(self, job: _Job[T]) -> float:
        """Return when a call was started; drop one that was not, and raise OverloadedError."""
        with self._lock:
            if job.done.acquire(blocking=False):
                job.done.release()
            elif job not in self._running:
                job.left_out = True
                raise queued_too_long(self._limit_s)
            return self._running.get(job, 0.0)

    def _give_up(self, job: _Job[T]) -> T:
        """Replace the thread of a call that exceeds its timeout."""
        with self._lock:
            if job.done.acquire(blocking=False):
                return job.outcome()
            del self._running[job]
            self._add_thread()
        self._on_lost()
        raise TimeLimitError(f"the predictor did not answer in time (limit {self._limit_s:g} s)")

    def _add_thread(self) -> None:
        threading.Thread(target=self._work, name="predictor", daemon=True).start()

    def _work(self) -> None:
        """Do calls until one of them is abandoned; the body of each thread."""
        given_up = False
        while not given_up:
            job = self._queue.get()
            with self._lock:
                self._waiting -= 1
                if job.left_out:
                    continue
                begun_at = self._running[job] = time.monotonic()
            job.run()
            with self._lock:
                self._admission.note(time.monotonic() - begun_at)
                given_up = self._running.pop(job, None) is None
                job.done.release()
            del job


def in_another_thread(work: Callable[[], T]) -> T:
    """Do the work in a new thread, like a pool but without a timeout.

    Code that needs signals or event loops, which only the main thread has, fails here
    as it does in the service.
    """
    job = _Job(work)
    thread = threading.Thread(target=job.run, name="predictor", daemon=True)
    thread.start()
    thread.join()
    return job.outcome()


class _Job(Generic[T]):
    """A piece of work, with its outcome once `done` can be acquired."""

    __slots__ = ("_error", "_value", "_work", "done", "left_out")

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._error: BaseException | None = None
        self.left_out = False
        self.done = threading.Lock()
        self.done.acquire()

    def run(self) -> None:
        """Do the work; exceptions of the user's code do not end the thread."""
        try:
            self._value = self._work()
        except BaseException as error:  # noqa: BLE001 - `outcome` raises it again
            self._error = error

    def outcome(self) -> T:
        """Return or raise the outcome of the work."""
        if self._error is not None:
            raise self._error
        return self._value
