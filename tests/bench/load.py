"""Load while workers are killed, and the resources of one and four workers.

Prints the figures to report with a change to the service: responses, losses and counts; requests
per second; the seconds from start to ready; the memory.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

from nachlass_service.bundle.bundle import Bundle  # noqa: E402
from support.command import NACHLASS  # noqa: E402
from support.load import good, load, proportional_mib  # noqa: E402
from support.served import served  # noqa: E402

SECONDS = float(os.environ.get("LOAD_SECONDS", "120"))


def main():
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        command = [NACHLASS, "build"]
        subprocess.run([*command, TESTS.parent / "examples/kmeans", "-o", bundle, "-q"], check=True)
        measure_memory(bundle)
        measure_load(bundle)


def measure_memory(bundle):
    for workers in ("1", "4"):
        started = time.monotonic()
        with served(bundle, os.environ, WEB_CONCURRENCY=workers) as service:
            ready_s = time.monotonic() - started
            samples = list(Bundle.open(bundle).samples())
            tally, _killed = load(
                service, good(samples), connections=16, seconds=5, kill_every_s=60
            )
            sizes = [proportional_mib(pid) for pid in (service.pid, *service.workers)]
        print(
            f"{workers} workers: ready after {ready_s:.1f} s, "
            f"{sum(sizes):.0f} MiB proportional ({', '.join(f'{size:.0f}' for size in sizes)}), "
            f"{tally.answered / 5:.0f} requests/s by 16 Python clients"
        )


def measure_load(bundle):
    samples = list(Bundle.open(bundle).samples())
    with served(bundle, os.environ, WEB_CONCURRENCY="2") as service:
        tally, killed = load(
            service,
            good(samples),
            connections=16,
            seconds=SECONDS,
            kill_every_s=min(10, SECONDS / 4),
        )
        counted = service.metrics()["nachlass_processing_seconds_count"]
    print(
        f"{SECONDS:g} s at 16 connections, {killed} workers killed: {tally.answered} answered, "
        f"{len(tally.wrong)} of them wrong, {tally.lost} lost, {counted:.0f} counted"
    )


if __name__ == "__main__":
    main()
