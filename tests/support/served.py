"""Starts and stops the service of a bundle for a test."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from nachlass_builder.assemble.freshness import restore_environment
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.foundation.settings import Settings
from nachlass_service.bundle.agreement import agree
from nachlass_service.bundle.bundle import Bundle
from support.project import TESTS

CLIENTS = 4
LOOPS = {"uvloop": {}, "asyncio": {"PYTHONPATH": str(TESTS / "support/without_uvloop")}}
"""The event loops, each with the variables that make a service use it."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Served:
    """A running service, with its structured log."""

    process: subprocess.Popen
    port: int
    log_file: Path

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    @property
    def log(self):
        """The events so far, without other output, such as that of the model."""
        lines = self.log_file.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines if line.startswith("{")]

    def events(self, name):
        return [line for line in self.log if line["event"] == name]

    def event(self, name):
        """Wait for the only event of this name, which may be logged with a delay."""
        self.wait_until(lambda: self.events(name), f"{name} is not logged")
        [event] = self.events(name)
        return event

    @property
    def workers(self):
        """The workers' pids."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return sorted(map(int, children.read_text().split()))

    def request(self, method, path, body=None, headers=None):
        """Send a request on a new connection; return status, headers and body as bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            with connection.getresponse() as response:
                return response.status, response.headers, response.read()
        finally:
            connection.close()

    def predict(self, sample):
        """Send a sample; return the status and the decoded prediction or problem."""
        status, _headers, body = self.request(
            "POST", "/predict", json.dumps(sample), {"Content-Type": "application/json"}
        )
        return status, json.loads(body)

    def metrics(self):
        """Return all metrics by their name with labels as written."""
        _status, _headers, body = self.request("GET", "/metrics")
        lines = [line for line in body.decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def wait_until(self, reached, what, seconds=30):
        deadline = time.monotonic() + seconds
        while not reached():
            assert self.process.poll() is None, self.log_file.read_text()
            assert time.monotonic() < deadline, f"{what}:\n{self.log_file.read_text()}"
            time.sleep(0.02)

    def is_ready(self):
        try:
            return self.request("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def kill(self):
        """Kill the service and its processes."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, sent=signal.SIGTERM):
        """Stop the service; return its exit code."""
        self.process.send_signal(sent)
        return self.process.wait(30)


def python_of(bundle, environ):
    """Return the interpreter of a bundle's environment."""
    settings = Settings.from_environ(environ, {})
    progress = Progress(quiet=True)
    return restore_environment(Path(bundle), environ, settings, Deadline(), progress).python


def service_command(bundle, environ, *words):
    """Return the command that starts the service of a bundle."""
    return [python_of(bundle, environ), "-P", "-m", "nachlass_service", "serve", bundle, *words]


def start(bundle, environ, log_file, *words, **variables):
    """Start the service of a bundle without waiting until it is ready."""
    port = free_port()
    command = service_command(bundle, environ, "--port", port, *words)
    kept = {k: v for k, v in environ.items() if not k.startswith(("PYTHON", "OMP_"))}
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            list(map(str, command)),
            cwd="/",
            env={**kept, "S2I_LOG_FORMAT": "json", **variables},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return Served(process, port, log_file)


@contextmanager
def served(bundle, environ, *words, **variables):
    """Start a service, yield it when ready, and kill it if it was not stopped."""
    # Two test processes may serve the same bundle.
    log_file = Path(bundle).parent / f"{Path(bundle).name}-service-{os.getpid()}.log"
    log_file.unlink(missing_ok=True)
    service = start(bundle, environ, log_file, *words, **variables)
    try:
        service.wait_until(service.is_ready, "the service is not ready")
        yield service
    finally:
        service.kill()


def check_samples(bundle, service):
    """Check that the service returns the notebook's predictions to several clients at once."""
    opened = Bundle.open(Path(bundle))
    samples = list(opened.samples())
    if opened.is_pipeline:  # a pipeline takes a list of samples
        samples = [([sample], [recorded]) for sample, recorded in samples]
    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(clients.map(service.predict, [sample for sample, _ in samples]))
    for (sample, recorded), (status, prediction) in zip(samples, answers, strict=True):
        assert status == 200, prediction
        assert agree(recorded, prediction, opened.random_fields), (sample, recorded, prediction)
