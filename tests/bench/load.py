"""Load while workers are killed, a soak of mixed requests, and what one and four workers take.

Prints what the closing note of a change to the service has to say: answers, losses
and counts; requests a second; the seconds from start to ready; the memory.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

from cells import write_notebook  # noqa: E402
from command import NACHLASS  # noqa: E402
from load import good, load, mixed  # noqa: E402
from nachlass_service.bundle import Bundle  # noqa: E402
from served import served  # noqa: E402

SECONDS = float(os.environ.get("LOAD_SECONDS", "120"))
SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))

COUNTED = (
    *("nachlass_processing_seconds_count", "nachlass_failures_total"),
    *(f'nachlass_rejected_total{{reason="{r}"}}' for r in ("not_json", "too_large", "refused")),
)


def main():
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        command = [NACHLASS, "build"]
        subprocess.run([*command, TESTS.parent / "examples/kmeans", "-o", bundle, "-q"], check=True)
        measure_memory(bundle)
        measure_load(bundle)
        soak(Path(folder))


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


def soak(folder):
    """Good, bad, slow and huge requests for minutes: wrong answers, losses, counts, memory."""
    write_notebook(folder / "unruly/model.ipynb", (TESTS / "unruly.nb.txt").read_text())
    command = [NACHLASS, "build", folder / "unruly", "-q"]
    subprocess.run([*command, "-o", folder / "unruly-bundle"], check=True)
    variables = {"WEB_CONCURRENCY": "2", "S2I_MAX_BODY_BYTES": "100000"}
    with served(folder / "unruly-bundle", os.environ, **variables) as service:
        rounds = max(1, round(SOAK_SECONDS / 60))
        for number in range(rounds):
            before = service.metrics()
            tally, killed = load(
                service, mixed(), connections=16, seconds=SOAK_SECONDS / rounds, kill_every_s=10
            )
            after = service.metrics()
            counted = sum(after[name] - before.get(name, 0) for name in COUNTED)
            size = sum(proportional_mib(pid) for pid in (service.pid, *service.workers))
            print(
                f"soak, part {number + 1} of {rounds}: {sum(tally.statuses.values())} answered, "
                f"{len(tally.wrong)} of them wrong, {tally.lost} lost with {killed} workers, "
                f"{counted:.0f} counted, {size:.0f} MiB",
                flush=True,
            )


def proportional_mib(pid):
    """The proportional set size of a process."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no Pss")


if __name__ == "__main__":
    main()
