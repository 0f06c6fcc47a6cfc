"""Sends requests to a service without pause over persistent connections, while workers are killed.

tests/integration/test_load.py runs it for some seconds, tests/bench/load.py and
tests/bench/soak.py for minutes.
"""

import http.client
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Case:
    """A body and its expected response; `answer` is compared if the status is 200."""

    body: str
    status: int = 200
    answer: object = None


@dataclass
class Tally:
    """The results of requests: answered, answered wrongly, lost with their worker."""

    statuses: Counter = field(default_factory=Counter)
    lost: int = 0
    wrong: list = field(default_factory=list)

    @property
    def answered(self):
        return self.statuses[200]

    def __add__(self, other):
        return Tally(
            self.statuses + other.statuses, self.lost + other.lost, self.wrong + other.wrong
        )


def good(samples):
    """Return the cases of samples with their predictions."""
    return [Case(json.dumps(sample), 200, prediction) for sample, prediction in samples]


def mixed():
    """Return good, bad, slow and huge requests for the unruly predictor (body limit 100,000)."""
    return [
        *[Case(json.dumps([n]), 200, {"seen": [n]}) for n in range(40)],
        Case('{"sleep": 0.05}', 200, {"seen": {"sleep": 0.05}}),
        Case(json.dumps("x" * 90_000), 200, {"seen": "x" * 90_000}),
        Case("[1, 2", 400),
        Case('"' + "x" * 1_000_000 + '"', 413),
        Case('"no"', 422),
        Case('"raise"', 500),
    ]


def run_client(port, cases, ends_at, tally):
    """Run one client, which keeps each connection as long as it lasts."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    choose = random.Random(threading.get_ident())
    while time.monotonic() < ends_at:
        case = choose.choice(cases)
        try:
            connection.request("POST", "/predict", case.body, HEADERS)
            with connection.getresponse() as response:
                answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError):
            tally.lost += 1
            connection.close()
            continue
        tally.statuses[response.status] += 1
        if response.status != case.status or (case.status == 200 and answer != case.answer):
            tally.wrong.append((case.body[:100], response.status, answer))
    connection.close()


def load(service, cases, *, connections, seconds, kill_every_s):
    """Send requests over some connections, and kill a worker every few seconds."""
    ends_at = time.monotonic() + seconds
    tallies = [Tally() for _ in range(connections)]
    clients = [
        threading.Thread(target=run_client, args=(service.port, cases, ends_at, tally))
        for tally in tallies
    ]
    for client in clients:
        client.start()
    killed = 0
    while time.monotonic() + kill_every_s < ends_at:
        time.sleep(kill_every_s)
        os.kill(random.choice(service.workers), signal.SIGKILL)
        killed += 1
    for client in clients:
        client.join()
    return sum(tallies, Tally()), killed


def proportional_mib(pid):
    """Return the proportional set size of a process in MiB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no Pss")
