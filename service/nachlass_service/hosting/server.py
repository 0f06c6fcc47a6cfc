"""Runs the service under gunicorn: settings, workers, reload.

The master chooses the bundle and never scores: the threads of some libraries do not
survive a fork. The master loads the model if the manifest says that it survives a fork,
else each worker loads it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from logging import ERROR, WARNING
from types import FrameType
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from gunicorn.workers.base import Worker
from gunicorn.workers.gthread import ThreadWorker

from nachlass_service.base import log
from nachlass_service.base.errors import BundleError, ServiceError, SettingError
from nachlass_service.base.settings import Settings
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.failure import log_failure
from nachlass_service.bundle.model import load_model, unload_model
from nachlass_service.hosting.capacity import capacity
from nachlass_service.hosting.forks import isolate_forks
from nachlass_service.hosting.gpu import may_use_gpu, reject_initialised
from nachlass_service.hosting.gunicorn_arguments import (
    check_settings,
    read_arguments,
    reject_other_workers_settings,
)
from nachlass_service.hosting.gunicorn_logger import Logger
from nachlass_service.hosting.snapshot import Snapshots
from nachlass_service.http.balance import Balance
from nachlass_service.http.body_budget import body_memory_limit
from nachlass_service.metrics.metrics import Metrics
from nachlass_service.proof.rehearsal import rehearse
from nachlass_service.scoring.interrupter import INTERRUPTION
from nachlass_service.scoring.scorer import Scorer
from nachlass_service.scoring.threads import Pool
from nachlass_service.web.app import create_app
from nachlass_service.web.page import curl_line

REQUEST_THREADS = 64
"""Threads for requests; HEALTH_THREADS of them never wait for a prediction."""
HEALTH_THREADS = 8
GRACEFUL_TIMEOUT_S = 25
"""The time to answer pending requests at shutdown; orchestrators kill after 30 s."""
KEEP_ALIVE_S = 75
"""Longer than the 60 s of load balancers, which expect to close idle connections first."""
GIL_ALLOWANCE_S = 10
"""The time beyond the prediction timeout after which a predictor that holds the GIL is killed."""
EXIT_S = 3
"""The time for the exit handlers of libraries."""
DEFAULT_HOST = "127.0.0.1"
LOADING_LIMIT_S = 600
"""A worker that takes longer to load its model is killed."""
WARM_UP_PAUSE_S = 2
MAX_PAUSE_S = 60
REPLACEMENT_REASONS = {
    "time_limit": "a call of the predictor exceeded its timeout",
    "max_requests": "it reached its limit of requests (max_requests)",
}
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


class Server(BaseApplication):
    """The gunicorn application of a bundle, which a reload can replace.

    `flags` are the variables set on the command line, including HOST: they override
    GUNICORN_CMD_ARGS. A `local` service shows samples on loopback unless the settings
    say otherwise.
    """

    def __init__(
        self, settings: Settings, snapshots: Snapshots, flags: Mapping[str, str], *, local: bool
    ) -> None:
        self.settings = settings
        self._snapshots = snapshots
        self._flags = flags
        self._local = local
        self._started_at = time.monotonic()
        self.bundle = Bundle.open(snapshots.take())
        self.bundle.check_samples()
        self.scorer: Scorer | None = None
        self.balance = Balance()
        self._slots: dict[int, int] = {}  # of running workers, by gunicorn's worker age
        self._metrics_of: dict[int, Metrics] = {}
        super().__init__()
        self.metrics = self._metrics_for(self.bundle)

    # In the master.

    def run(self) -> None:
        """Serve until a signal arrives, then exit. Raises SettingError."""
        try:
            Master(self).run()
        except (RuntimeError, ValueError) as error:
            message = str(error).partition("\n")[0].rstrip(": ")
            raise SettingError(f"gunicorn cannot start: {message}") from error

    def do_load_config(self) -> None:
        """Load the configuration; raises SettingError."""
        try:
            self.load_default_config()
            self.load_config()
        except SettingError:
            raise
        except Exception as error:
            raise SettingError(f"GUNICORN_CMD_ARGS is invalid: {error}") from error

    def load_config(self) -> None:
        """Apply our defaults, then GUNICORN_CMD_ARGS, then our flags: the last one wins."""
        arguments = read_arguments(self.cfg)
        settings = self._defaults()
        if "worker_class" not in arguments:
            arguments["worker_class"] = worker_class()
            if arguments["worker_class"] is not ThreadWorker:
                reject_other_workers_settings(arguments, self.cfg)
        if "workers" in arguments:
            self._why = "GUNICORN_CMD_ARGS"
        for name, value in {**settings, **arguments, **self._from_flags()}.items():
            self.cfg.set(name, value)
        check_settings(self.cfg)
        if self.settings.show_samples is None:
            reached_from_here = self._local and all(map(_is_local, self.cfg.address))
            self.settings = replace(self.settings, show_samples=reached_from_here)
        for name in THREAD_VARIABLES:
            threads = max(1, int(self._capacity.cores // self.cfg.workers))
            os.environ.setdefault(name, str(threads))

    def renew(self, is_given_up: Callable[[], bool]) -> bool:
        """Switch to the current bundle; on failure keep the previous one and return False."""
        before = self.bundle
        try:
            bundle = Bundle.open(self._snapshots.take())
            self._check_environment(bundle)
            metrics = self._metrics_for(bundle)
            rehearse(bundle, is_given_up)
        except ServiceError as error:
            log.event("reload_refused", level=ERROR, error=str(error), still=before.title)
            self._snapshots.keep_only(before.path)
            return False
        unload_model(before)
        self.bundle, self.callable = bundle, None
        metrics.continue_from(self.metrics)
        self.metrics = metrics
        return True

    def remove_previous(self) -> None:
        """Remove the snapshots that only the workers before the reload needed."""
        self._snapshots.keep_only(self.bundle.path)

    def note_end(self, worker: Worker) -> None:
        """Count an ended worker, and log it if it crashed."""
        metrics = self._metrics_of.pop(worker.age, None)
        lost = metrics.note_end(self._slots[worker.age]) if metrics else None
        if lost is not None and self.metrics.counters.is_ready:
            log.event("worker_crashed", level=ERROR, pid=worker.pid, requests_lost=lost)

    def _defaults(self) -> dict[str, Any]:
        """Return the default settings for gunicorn."""
        self._capacity = capacity()
        manifest = self.bundle.manifest
        preload = manifest.preload and not may_use_gpu(manifest.packages)
        workers, self._why = self._capacity.workers(
            loaded=manifest.memory.loaded,
            scoring=manifest.memory.scoring,
            bodies=body_memory_limit(self.settings),
            preload=preload,
        )
        if self.settings.workers:
            workers, self._why = self.settings.workers, "WEB_CONCURRENCY"
        return {
            "bind": self._address(),
            "workers": workers,
            "threads": REQUEST_THREADS,
            "preload_app": preload,
            "keepalive": KEEP_ALIVE_S,
            "graceful_timeout": GRACEFUL_TIMEOUT_S,
            "timeout": int(self.settings.predict_timeout_s + GIL_ALLOWANCE_S),
            "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else None,  # noqa: S108
            "control_socket_disable": True,
            "loglevel": "warning",
            "logger_class": Logger,
            "when_ready": lambda _arbiter: self.log_bundle("serving"),
            "pre_fork": self._prepare,
            "post_fork": self._enter,
            "post_worker_init": self._begin,
            "worker_exit": self._begin_exit,
            "child_exit": lambda _arbiter, worker: self.note_end(worker),
            "on_exit": lambda _arbiter: log.event("stopped"),
        }

    def _from_flags(self) -> dict[str, Any]:
        """Return the settings of the command line by gunicorn's names."""
        values: dict[str, Any] = {}
        if {"HOST", "PORT"} & self._flags.keys():
            values["bind"] = self._address()
        if "WEB_CONCURRENCY" in self._flags:
            values["workers"] = self.settings.workers
            self._why = "--workers"
        return values

    def _address(self) -> str:
        host = self._flags.get("HOST", DEFAULT_HOST)
        return f"[{host}]:{self.settings.port}" if ":" in host else f"{host}:{self.settings.port}"

    def _metrics_for(self, bundle: Bundle) -> Metrics:
        """Return new metrics for a bundle; raises BundleError."""
        manifest = bundle.manifest
        info = {
            "name": manifest.name,
            "version": manifest.version,
            "commit": manifest.source.commit or "",
            "digest": manifest.short_digest,
        }
        return Metrics(
            manifest.prediction,
            prefix=self.settings.metrics_prefix,
            info=info,
            features=manifest.input.features,
            baseline=manifest.baseline,
            input_rate=self.settings.input_metrics_rate,
            named_inputs=bool(self.settings.show_samples),
            window_s=self.settings.drift_window_s,
        )

    def _check_environment(self, bundle: Bundle) -> None:
        """Raise BundleError for a bundle with a different serving lock than this process."""
        locks = [b.manifest.locks.serving for b in (self.bundle, bundle)]
        if locks[0] != locks[1]:
            raise BundleError(
                f"{bundle.title} needs packages other than the installed ones: restart the service"
            )

    def log_bundle(self, event: str) -> None:
        """Log an event with a description of the served bundle."""
        manifest = self.bundle.manifest
        log.event(
            event,
            model=self.bundle.title,
            function=self.bundle.function,
            commit=manifest.source.commit,
            dirty=manifest.source.dirty or None,
            digest=manifest.short_digest,
            workers=self.cfg.workers,
            because=self._why,
            loaded="before the fork" if self.cfg.preload_app else "by each worker",
            metrics=self.settings.metrics_prefix,
        )

    def _prepare(self, arbiter: Arbiter, worker: Worker) -> None:
        """Give a worker the lowest slot that no running worker has."""
        living = {other.age for other in arbiter.WORKERS.values()}
        self._slots = {age: slot for age, slot in self._slots.items() if age in living}
        used_slots = self._slots.values()
        slot = next(slot for slot in range(len(used_slots) + 1) if slot not in used_slots)
        self._slots[worker.age], self._metrics_of[worker.age] = slot, self.metrics
        self.metrics.counters.prepare(slot)
        self.balance.prepare(slot)

    # In a worker; `wsgi` and `load` also in the master if the model is loaded before the fork.

    def wsgi(self) -> Any:
        """Return the application, which a worker asks for once its signal handlers are set."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, Worker.SIGNALS)
        return super().wsgi()

    def load(self) -> Any:
        """Load the model and return the application; exit the process on failure."""
        try:
            model = load_model(self.bundle)
            if self.cfg.preload_app:
                reject_initialised()
            self.scorer = Scorer(self.bundle, model, self.metrics, self.settings)
        except ServiceError as error:
            log_failure(error, self.bundle)
            if self.metrics.counters.is_ready:  # other workers serve; pause before the next try
                time.sleep(WARM_UP_PAUSE_S)
                sys.exit(1)
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
        return create_app(self.scorer)

    def _enter(self, _arbiter: Arbiter, worker: Worker) -> None:
        """Use the slot, and send heartbeats to the master while the model is loaded."""
        _reseed()
        isolate_forks([*worker.SIGNALS, INTERRUPTION], worker.sockets)
        self.metrics.counters.use(self._slots[worker.age])
        self.balance.use(self._slots[worker.age])
        self._begun = threading.Event()

        def send_heartbeats() -> None:
            ends_at = time.monotonic() + LOADING_LIMIT_S
            while not self._begun.wait(1) and time.monotonic() < ends_at:
                worker.notify()

        threading.Thread(target=send_heartbeats, name="loading", daemon=True).start()

    def _begin(self, worker: Worker) -> None:
        """Start predicting; a failed warm-up is retried until it succeeds."""
        scorer = self.scorer
        assert scorer is not None

        def replace_worker(reason: str) -> None:
            if not worker.alive:  # already shutting down
                return
            log.event("worker_replaced", level=WARNING, why=REPLACEMENT_REASONS[reason])
            scorer.metrics.count_ended(reason)
            worker.alive = False

        get_ready = partial(self._get_ready, scorer)
        if begin := getattr(worker, "begin", None):  # this worker predicts once its loop runs
            scorer.start(begin(scorer, self.balance, replace_worker, get_ready))
        else:
            scorer.start(self._pool(replace_worker).run)
            get_ready()

    def _begin_exit(self, _arbiter: Arbiter, worker: Worker) -> None:
        """Record a regular exit, and set an alarm that kills the process if it does not end."""
        if worker.nr >= worker.max_requests:  # gunicorn's worker does not report this itself
            self.metrics.count_ended("max_requests")
        if getattr(sys.exc_info()[1], "code", 1) == 0:
            self.metrics.note_clean_exit()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(EXIT_S)

    def _get_ready(self, scorer: Scorer) -> None:
        """Warm up once, and retry in a thread if that fails."""
        if not self._warm_up(scorer):
            threading.Thread(target=self._keep_trying, args=[scorer], daemon=True).start()
        self._begun.set()

    def _pool(self, replace_worker: Callable[[str], None]) -> Pool:
        """Return the pool of prediction threads, which are separate from request threads."""
        return Pool(
            self.settings.predictor_threads,
            limit_s=self.settings.predict_timeout_s,
            longest_queue=REQUEST_THREADS - HEALTH_THREADS,
            on_lost=lambda: replace_worker("time_limit"),
        )

    def _warm_up(self, scorer: Scorer) -> bool:
        """Warm up, and log `ready` when this is the last worker; return whether it succeeded."""
        try:
            scorer.warm_up()
        except ServiceError as error:
            log_failure(error, self.bundle, during="the warm-up")
            return False
        if self.metrics.counters.set_ready(self.cfg.workers):
            seconds = round(time.monotonic() - self._started_at, 1)
            url = _url(self.cfg.address[0], "https" if self.cfg.is_ssl else "http")
            command = curl_line(self.bundle, self.settings, url) if url else None
            log.event("ready", url=url, seconds=seconds, curl=command)
        return True

    def _keep_trying(self, scorer: Scorer) -> None:
        """Retry the warm-up until it succeeds, with growing pauses."""
        pause_s = WARM_UP_PAUSE_S
        time.sleep(pause_s)
        while not self._warm_up(scorer):
            pause_s = min(2 * pause_s, MAX_PAUSE_S)
            time.sleep(pause_s)


class Master(Arbiter):
    """gunicorn's master, which reloads a changed bundle on SIGHUP."""

    app: Server
    is_ending = False
    is_halting = False

    def signal(self, sig: int, frame: FrameType | None) -> None:
        """Queue a signal, and note whether it ends the service."""
        super().signal(sig, frame)
        self.is_ending = self.is_ending or sig in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

    def spawn_worker(self) -> int:
        """Start a worker, in which signals stay blocked until `Server.wsgi`.

        The master's handlers, which the worker inherits, would lose a signal: the worker
        would not notice that the service stops.
        """
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, Worker.SIGNALS)
        try:
            pid: int = super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return pid

    def reap_workers(self) -> None:
        """Reap ended workers; once ready, the service continues if a worker fails to start."""
        before = dict(self.WORKERS)
        try:
            super().reap_workers()
        except HaltServer:
            if self.app.metrics.counters.is_ready:
                for pid in before.keys() - self.WORKERS.keys():
                    self.app.note_end(before[pid])
                self.reap_workers()  # the exception ended the loop, and more workers may have ended
            elif not self.is_halting:  # halting reaps the other workers too
                self.is_halting = True
                raise

    def reload(self) -> None:
        """Replace the workers with ones for the new bundle, if it can be served."""
        if self.app.renew(lambda: self.is_ending):
            super().reload()
            self.app.log_bundle("reloaded")
            self.app.remove_previous()


def worker_class() -> type[Worker]:
    """Return the worker with an event loop, or gunicorn's thread worker without httptools."""
    try:
        from nachlass_service.http.async_worker import AsyncWorker
    except ImportError as error:
        log.event("no_event_loop", level=WARNING, worker="gthread", error=str(error))
        return ThreadWorker
    return AsyncWorker


def _is_local(address: str | int | tuple[str, int]) -> bool:
    """Return whether an address is reachable only from this machine; a path is a Unix socket."""
    if not isinstance(address, tuple):
        return isinstance(address, str)
    try:
        return ip_address(address[0]).is_loopback
    except ValueError:
        return address[0] == "localhost"


def _url(address: str | int | tuple[str, int], scheme: str) -> str | None:
    """Return the URL of a listener; None for a Unix socket."""
    if not isinstance(address, tuple):
        return None
    host, port = address[:2]
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - all addresses, including loopback
        host = "localhost"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _reseed() -> None:
    """Give each worker its own random seed in libraries that were loaded before the fork."""
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    if torch := sys.modules.get("torch"):
        torch.seed()
