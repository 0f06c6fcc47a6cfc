"""Computes the number of workers from the available cores and memory.

Cores: those the process may run on, limited by the CPU quotas of its control groups;
fractions are rounded up. Memory: the master and the workers have to fit in nine tenths
of the machine's memory or of the smallest limit of its control groups. The proof of the
build measures the memory of a process. Depending on when the model is loaded, the sum is

    by each worker:   OVERHEAD + n * (OVERHEAD + bodies + scoring)
    before the fork:  OVERHEAD + loaded + n * (OVERHEAD + bodies + scoring - loaded + loaded / 4)

where `loaded` and `scoring` are the peak private memory of a process after loading and
after scoring, and `bodies` is the memory for request bodies that a worker is reading.
A quarter of the loaded memory is copied in each worker because Python's reference
counts change in it. The result is at least one worker.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

from nachlass_service.hosting.control_groups import groups, memory, read

OVERHEAD = 32 << 20
"""Memory in bytes of gunicorn, Flask and the metrics, without the model."""
MAX_WORKERS = 128

QUOTA = re.compile(r"(\d+) ([1-9]\d*)", re.ASCII)


@dataclass(frozen=True)
class Capacity:
    """The cores, as a fraction, and the bytes of memory that this process may use."""

    cores: float
    memory: int

    def workers(self, *, loaded: int, scoring: int, bodies: int, preload: bool) -> tuple[int, str]:
        """Return the number of workers to start and the reason; sizes are in bytes."""
        by_cores = max(1, math.ceil(self.cores))
        each = OVERHEAD + bodies + scoring
        rest = int(self.memory * 0.9) - OVERHEAD
        if preload:
            each = OVERHEAD + bodies + max(0, scoring - loaded) + loaded // 4
            rest -= loaded
        by_memory = max(1, rest // each)
        why = (
            f"{_rounded(self.cores)} cores, {_mebibytes(self.memory)} of memory "
            f"at {_mebibytes(each)} per worker"
        )
        return min(by_cores, by_memory, MAX_WORKERS), why


def capacity(root: Path = Path("/")) -> Capacity:
    """Return the capacity of this process, read from the files below `root`."""
    cores = [float(_cores_allowed())]
    for group in groups(root):
        quota, period = (read(group / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
        cores += [*_quota(read(group / "cpu.max")), *_quota(f"{quota} {period}")]
    limit, _machine = memory(root)
    return Capacity(min(cores), limit)


def _quota(text: str) -> list[float]:
    """Return the cores of a quota and period, such as `150000 100000`; none for `max` or -1."""
    found = QUOTA.fullmatch(text)
    return [int(found[1]) / int(found[2])] if found else []


def _cores_allowed() -> int:
    """Return the number of cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _rounded(cores: float) -> str:
    return f"{cores:.2f}".rstrip("0").rstrip(".")


def _mebibytes(size: int) -> str:
    return f"{size >> 20} MiB"
