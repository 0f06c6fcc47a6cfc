"""A soak test with mixed requests while workers are killed, for SOAK_SECONDS.

Prints answered, lost and counted requests and the memory for each minute; exits with status 1 if
any response was wrong.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

from support.cells import write_notebook  # noqa: E402
from support.command import NACHLASS  # noqa: E402
from support.load import load, mixed, proportional_mib  # noqa: E402
from support.served import served  # noqa: E402

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))

COUNTED = (
    *("nachlass_processing_seconds_count", "nachlass_failures_total"),
    *(f'nachlass_rejected_total{{reason="{r}"}}' for r in ("not_json", "too_large", "refused")),
)


def main():
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(1 if soak(Path(folder)) else 0)


def soak(folder):
    """Send good, bad, slow and huge requests for minutes; return the number of wrong responses."""
    write_notebook(folder / "unruly/model.ipynb", (TESTS / "support/unruly.nb.txt").read_text())
    command = [NACHLASS, "build", folder / "unruly", "-q"]
    subprocess.run([*command, "-o", folder / "unruly-bundle"], check=True)
    variables = {"WEB_CONCURRENCY": "2", "S2I_MAX_BODY_BYTES": "100000"}
    with served(folder / "unruly-bundle", os.environ, **variables) as service:
        wrong, rounds = 0, max(1, round(SECONDS / 60))
        for number in range(rounds):
            before = service.metrics()
            tally, killed = load(
                service, mixed(), connections=16, seconds=SECONDS / rounds, kill_every_s=10
            )
            wrong += len(tally.wrong)
            after = service.metrics()
            counted = sum(after[name] - before.get(name, 0) for name in COUNTED)
            size = sum(proportional_mib(pid) for pid in (service.pid, *service.workers))
            print(
                f"soak, part {number + 1} of {rounds}: {sum(tally.statuses.values())} answered, "
                f"{len(tally.wrong)} of them wrong, {tally.lost} lost with {killed} workers, "
                f"{counted:.0f} counted, {size:.0f} MiB",
                flush=True,
            )
    return wrong


if __name__ == "__main__":
    main()
