"""How many workers there is room for, by cores and by memory.

Cores: those the process may run on, and the CPU quotas of its control groups,
fractions rounded up. Memory: nine tenths of the smallest limit of its control
groups, or of the machine, have to hold the master and the workers. What one
process needs was measured by the proof at build; when the model is loaded

    by each worker:   OVERHEAD + n * (OVERHEAD + bodies + scoring)
    before the fork:  OVERHEAD + loaded + n * (OVERHEAD + bodies + scoring - loaded + loaded / 4)

where `loaded` and `scoring` are the most that a process has for itself after loading
and after scoring, and `bodies` what a worker holds of requests that are being read;
a quarter of what was loaded becomes a worker's own, as Python counts references
in it. At least one worker is started.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

from nachlass_service.hosting.control_groups import groups, memory, read

OVERHEAD = 32 << 20
"""Bytes that gunicorn, Flask and the metrics take beside the model."""
MOST_WORKERS = 128

QUOTA = re.compile(r"(\d+) ([1-9]\d*)", re.ASCII)


@dataclass(frozen=True)
class Capacity:
    """The cores, as a fraction, and the bytes of memory that this process may use."""

    cores: float
    memory: int

    def workers(self, *, loaded: int, scoring: int, bodies: int, preload: bool) -> tuple[int, str]:
        """How many workers to start, and why; the sizes are in bytes."""
        by_cores = max(1, math.ceil(self.cores))
        each = OVERHEAD + bodies + scoring
        rest = int(self.memory * 0.9) - OVERHEAD
        if preload:
            each = OVERHEAD + bodies + max(0, scoring - loaded) + loaded // 4
            rest -= loaded
        by_memory = max(1, rest // each)
        why = (
            f"{_rounded(self.cores)} cores, {_mebibytes(self.memory)} of memory "
            f"at {_mebibytes(each)} a worker"
        )
        return min(by_cores, by_memory, MOST_WORKERS), why


def capacity(root: Path = Path("/")) -> Capacity:
    """What the process may use, read below `root`."""
    cores = [float(_cores_allowed())]
    for group in groups(root):
        quota, period = (read(group / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
        cores += [*_quota(read(group / "cpu.max")), *_quota(f"{quota} {period}")]
    limit, _machine = memory(root)
    return Capacity(min(cores), limit)


def _quota(given: str) -> list[float]:
    """The cores of a quota and its period, `150000 100000`; `max` or -1 is no limit."""
    found = QUOTA.fullmatch(given)
    return [int(found[1]) / int(found[2])] if found else []


def _cores_allowed() -> int:
    """The cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _rounded(cores: float) -> str:
    return f"{cores:.2f}".rstrip("0").rstrip(".")


def _mebibytes(size: int) -> str:
    return f"{size >> 20} MiB"
