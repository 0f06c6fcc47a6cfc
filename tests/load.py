"""Asks a service without pause over kept connections, while workers are killed.

Run by tests/integration/test_load.py for some seconds, and by tests/bench/load.py
for two minutes.
"""

import http.client
import json
import os
import random
import signal
import threading
import time
from dataclasses import dataclass, field

HEADERS = {"Content-Type": "application/json"}


@dataclass
class Tally:
    """What became of the requests: answered, wrongly answered, lost with their worker."""

    answered: int = 0
    lost: int = 0
    wrong: list = field(default_factory=list)

    def __add__(self, other):
        wrong = self.wrong + other.wrong
        return Tally(self.answered + other.answered, self.lost + other.lost, wrong)


def ask(port, samples, ends_at, tally):
    """One client: one connection after the other, each kept as long as it lasts."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    choose = random.Random(threading.get_ident())
    while time.monotonic() < ends_at:
        sample, expected = choose.choice(samples)
        try:
            connection.request("POST", "/predict", json.dumps(sample), HEADERS)
            with connection.getresponse() as response:
                answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError):
            tally.lost += 1
            connection.close()
            continue
        tally.answered += 1
        if (response.status, answer) != (200, expected):
            tally.wrong.append((sample, response.status, answer))
    connection.close()


def load(service, samples, *, connections, seconds, kill_every_s):
    """Ask over so many connections, and kill a worker every few seconds: what became of it."""
    ends_at = time.monotonic() + seconds
    tallies = [Tally() for _ in range(connections)]
    clients = [
        threading.Thread(target=ask, args=(service.port, samples, ends_at, tally))
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
