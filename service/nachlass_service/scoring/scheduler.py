"""Decides when and in which thread each call of the predictor is made.

Short calls are made in the loop's thread, because handing one over takes longer; others in
threads that can be abandoned. Queued requests are scored together if the proof shows that
this gives the same predictions. Both kinds of threads share the queue and the limits.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from logging import ERROR
from queue import SimpleQueue
from typing import Any, TypeVar

from nachlass_service.base import log
from nachlass_service.base.errors import OverloadedError, ServiceError, TimeLimitError
from nachlass_service.scoring.admission import Admission, queued_too_long
from nachlass_service.scoring.interrupter import Interrupter
from nachlass_service.scoring.pace import Pace
from nachlass_service.scoring.request_body import PredictRequest
from nachlass_service.scoring.scorer import Scorer

T = TypeVar("T")
Outcomes = Sequence[Any]

TURN_S = 0.0005
"""The longest turn, after which the loop handles other requests, such as health checks."""
MAX_IN_BATCH = 64
SWITCH_S = 0.0005
"""The thread switch interval once a call was slow, so that the loop does not wait for it."""


class DisconnectedError(Exception):
    """The outcome of a job whose client has disconnected."""


class Job:
    """A prediction request or other `work`, with the callback `done` for its outcome."""

    __slots__ = ("done", "is_wanted", "made_at", "request", "work")

    def __init__(
        self,
        done: Callable[[Any], None],
        *,
        request: PredictRequest | None = None,
        work: Callable[[], Any] | None = None,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self.request, self.work, self.done = request, work, done
        self.is_wanted = is_wanted
        self.made_at = time.monotonic()


class Running:
    """Jobs that another thread does together, since `begun_at`."""

    __slots__ = ("begun_at", "is_given_up", "jobs")

    def __init__(self, jobs: list[Job]) -> None:
        self.jobs, self.begun_at = jobs, time.monotonic()
        self.is_given_up = False


class Scheduler:
    """A queue of jobs, in order of arrival; all methods except `run` run in the loop's thread.

    `replace_worker` is called with a reason: the thread of a call that exceeds its timeout is
    lost.
    """

    def __init__(
        self, scorer: Scorer, loop: asyncio.AbstractEventLoop, replace_worker: Callable[[str], None]
    ) -> None:
        self._scorer, self._loop, self._replace_worker = scorer, loop, replace_worker
        self._limit_s = scorer.settings.predict_timeout_s
        self._threads, self._batches = scorer.settings.predictor_threads, scorer.batches
        self._admission, self._pace = Admission(self._limit_s), Pace()
        self._interrupter = Interrupter(self._limit_s)
        self._waiting: deque[Job] = deque()
        self._running: set[Running] = set()
        self._is_scheduled = self._is_switching_often = False
        self._handed_over: SimpleQueue[Running] = SimpleQueue()
        for _ in range(self._threads):
            self._add_thread()

    @property
    def is_empty(self) -> bool:
        """Whether all jobs are done."""
        return not (self._waiting or self._running)

    def submit(self, job: Job) -> None:
        """Queue a job; raises OverloadedError if it would wait too long."""
        running_s = 0.0
        if self._running:
            begun_at = min(running.begun_at for running in self._running)
            running_s = time.monotonic() - begun_at
        self._admission.reject_if_overloaded(len(self._waiting), self._threads, running_s)
        self._waiting.append(job)
        self._schedule()

    def run(self, work: Callable[[], T]) -> T:
        """Do the work like a prediction, for another thread; return or raise its outcome."""
        outcome: SimpleQueue[Any] = SimpleQueue()

        def submit() -> None:
            try:
                self.submit(Job(outcome.put, work=work))
            except ServiceError as error:
                outcome.put(error)

        self._loop.call_soon_threadsafe(submit)
        value = outcome.get()
        if isinstance(value, BaseException):
            raise value
        found: T = value
        return found

    def tick(self, now: float) -> None:
        """End the jobs that exceed their timeout."""
        for running in [r for r in self._running if now - r.begun_at > self._limit_s]:
            self._give_up(running, now)
        while self._waiting and now - self._waiting[0].made_at > self._limit_s:
            self._end(self._waiting.popleft(), queued_too_long(self._limit_s))

    def end(self) -> None:
        """Answer all jobs immediately, because the worker has to exit."""
        for running in self._running:
            running.is_given_up = True
            for job in running.jobs:
                error = TimeLimitError("the predictor did not answer before the worker shut down")
                self._end(job, error)
        self._running.clear()
        while self._waiting:
            self._end(self._waiting.popleft(), OverloadedError("the worker is shutting down", 1))

    def _schedule(self) -> None:
        """Schedule `_begin` for after this turn of the loop, which may read more requests."""
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._is_scheduled = False
        done: list[tuple[list[Job], Outcomes, float]] = []
        # The proof runs in a thread without a loop, so the model may use `asyncio.run`.
        loop = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        try:
            self._begin_some(done)
        finally:
            asyncio._set_running_loop(loop)
        for jobs, outcomes, seconds in done:
            self._finish(jobs, outcomes, seconds)

    def _begin_some(self, done: list[tuple[list[Job], Outcomes, float]]) -> None:
        """Hand over or do jobs until this turn is over."""
        waiting, pace = self._waiting, self._pace
        now = time.monotonic()
        ends_at = now + TURN_S
        while waiting and len(self._running) < self._threads:
            jobs = self._next_jobs()
            if not jobs:
                continue
            if pace.is_slow or jobs[0].work:
                self._hand_over(jobs)
            else:
                began_at, before = now, pace.before()
                outcomes = self._interrupter.call(partial(self._outcomes, jobs))
                now = time.monotonic()
                pace.note_in_loop(now - began_at, before)
                if outcomes is None:
                    self._time_out(jobs, now)
                else:
                    done.append((jobs, outcomes, now - began_at))
            if now > ends_at:
                break
        if waiting and len(self._running) < self._threads:
            self._schedule()
        if pace.is_slow and not self._is_switching_often:
            self._is_switching_often = True
            sys.setswitchinterval(SWITCH_S)

    def _next_jobs(self) -> list[Job]:
        """Remove and return the oldest job and those that can be done with it."""
        waiting = self._waiting
        jobs = [waiting.popleft()]
        if self._batches and jobs[0].request:
            while waiting and waiting[0].request and len(jobs) < MAX_IN_BATCH:
                jobs.append(waiting.popleft())
        connected = []
        for job in jobs:
            if job.is_wanted():
                connected.append(job)
            else:
                self._end(job, DisconnectedError())
        return connected

    def _hand_over(self, jobs: list[Job]) -> None:
        running = Running(jobs)
        self._running.add(running)
        self._handed_over.put(running)

    def _outcomes(self, jobs: list[Job]) -> Outcomes:
        """Do jobs, in any thread; return their outcomes, which may be exceptions."""
        job = jobs[0]
        try:
            if job.work:
                return [job.work()]
            if len(jobs) == 1 and job.request:
                return [self._scorer.predict(job.request)]
            return self._scorer.predict_many([job.request for job in jobs if job.request])
        except BaseException as error:  # noqa: BLE001 - it is the outcome of the jobs
            return [error] * len(jobs)

    def _finish(self, jobs: list[Job], outcomes: Outcomes, seconds: float) -> None:
        self._admission.note(seconds, len(jobs))
        for job, outcome in zip(jobs, outcomes, strict=True):
            self._end(job, outcome)

    def _end(self, job: Job, outcome: Any) -> None:
        try:
            job.done(outcome)
        except Exception as error:  # noqa: BLE001 - the other jobs have to be answered
            log.event("defect", level=ERROR, exc_info=error)

    def _add_thread(self) -> None:
        threading.Thread(target=self._work, name="predictor", daemon=True).start()

    def _work(self) -> None:
        """Do jobs until this thread is abandoned; the body of each thread."""
        while True:
            running = self._handed_over.get()
            began_at = time.monotonic()
            outcomes = self._outcomes(running.jobs)
            seconds = time.monotonic() - began_at
            try:
                self._loop.call_soon_threadsafe(self._return_outcomes, running, outcomes, seconds)
            except RuntimeError:  # the loop has ended
                return
            if running.is_given_up:
                return
            del running, outcomes

    def _return_outcomes(self, running: Running, outcomes: Outcomes, seconds: float) -> None:
        """Finish the jobs of another thread, unless it was abandoned."""
        if running.is_given_up:
            return
        self._running.remove(running)
        if running.jobs[0].request:
            self._pace.note_in_thread(seconds)
        self._finish(running.jobs, outcomes, seconds)
        if self._waiting:
            self._schedule()

    def _give_up(self, running: Running, now: float) -> None:
        """End jobs that exceed their timeout; their thread is lost and replaced."""
        self._running.remove(running)
        running.is_given_up = True
        self._add_thread()
        self._time_out(running.jobs, now)

    def _time_out(self, jobs: list[Job], now: float) -> None:
        """Answer a job that exceeds its timeout; requeue several ones to be done separately."""
        if len(jobs) == 1:
            limit = f"limit {self._limit_s:g} s"
            error = TimeLimitError(f"the predictor did not answer in time ({limit})")
            self._end(jobs[0], error)
        else:  # one of them may have delayed the others
            for job in reversed(jobs):
                request = job.request
                assert request is not None
                job.work, job.request, job.made_at = (
                    partial(self._scorer.predict, request),
                    None,
                    now,
                )
                self._waiting.appendleft(job)
        self._schedule()
        self._replace_worker("time_limit")
