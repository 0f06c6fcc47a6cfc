"""How many workers there is room for, by cores and by memory.

Cores: those the process may run on, and the CPU quotas of its control groups,
fractions rounded up. Memory: nine tenths of the smallest limit of its control
groups, or of the machine, have to hold the master and the workers. What one
process needs was measured by the proof at build; when the model is loaded

    by each worker:   OVERHEAD + n * (OVERHEAD + scoring)
    before the fork:  OVERHEAD + loaded + n * (OVERHEAD + scoring - loaded + loaded / 4)

where `loaded` and `scoring` are the largest resident sizes after loading and
after scoring; a quarter of what was loaded becomes a worker's own, as Python
counts references in it. At least one worker is started.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OVERHEAD = 32 << 20
"""Bytes that gunicorn, Flask and the metrics take beside the model."""
UNLIMITED = 1 << 60
"""Control groups of version 1 say a number like this for no limit."""
MOST_WORKERS = 128

GROUP = re.compile(r"\d+:([^:]*):(/.*)")
MOUNT = re.compile(r"\d+ \d+ \S+ (/\S*) (/\S*) .*- (cgroup2?) \S* (\S+)")
QUOTA = re.compile(r"(\d+) ([1-9]\d*)", re.ASCII)
TOTAL = re.compile(r"^MemTotal:\s*(\d+) kB", re.MULTILINE)


@dataclass(frozen=True)
class Capacity:
    """The cores, as a fraction, and the bytes of memory that this process may use."""

    cores: float
    memory: int

    def workers(self, *, loaded: int, scoring: int, preload: bool) -> tuple[int, str]:
        """How many workers to start, and why; the sizes are those of the manifest."""
        by_cores = max(1, math.ceil(self.cores))
        each = OVERHEAD + scoring
        rest = int(self.memory * 0.9) - OVERHEAD
        if preload:
            each = OVERHEAD + max(0, scoring - loaded) + loaded // 4
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
    memory = [_machine_memory(root)]
    for group in _groups(root):
        quota, period = (_read(group / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
        cores += [*_quota(_read(group / "cpu.max")), *_quota(f"{quota} {period}")]
        memory += _limit(_read(group / "memory.max"))
        memory += _limit(_read(group / "memory.limit_in_bytes"))
    return Capacity(min(cores), min(memory))


def _groups(root: Path) -> Iterator[Path]:
    """The folders of the process's control groups, and of all groups above them."""
    mounts = list(_mounts(root))
    for line in _read(root / "proc/self/cgroup").splitlines():
        if not (group := GROUP.fullmatch(line)):
            continue
        controllers, path = group.groups()
        for mounted, inner, kinds in mounts:
            if kinds is None if not controllers else kinds and set(controllers.split(",")) & kinds:
                relative = Path(os.path.relpath(path, inner))
                # Inside a container the path may name a group that is not mounted there.
                below = Path() if relative.parts[:1] == ("..",) else relative
                folder = root / mounted.lstrip("/")
                yield from (folder / part for part in (below, *below.parents))


def _mounts(root: Path) -> Iterator[tuple[str, str, set[str] | None]]:
    """Where control groups are mounted: folder, the group there, its controllers (None: v2)."""
    for line in _read(root / "proc/self/mountinfo").splitlines():
        if mount := MOUNT.fullmatch(line):
            inner, mounted, kind, options = mount.groups()
            yield mounted, inner, None if kind == "cgroup2" else set(options.split(","))


def _quota(given: str) -> list[float]:
    """The cores of a quota and its period, `150000 100000`; `max` or -1 is no limit."""
    found = QUOTA.fullmatch(given)
    return [int(found[1]) / int(found[2])] if found else []


def _limit(given: str) -> list[int]:
    """The bytes of a memory limit; `max`, or a number beyond any machine, is none."""
    return [int(given)] if given.isdecimal() and int(given) < UNLIMITED else []


def _cores_allowed() -> int:
    """The cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _machine_memory(root: Path) -> int:
    """The machine's memory in bytes."""
    if total := TOTAL.search(_read(root / "proc/meminfo")):
        return int(total[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _read(path: Path) -> str:
    """A file's text without blanks around it; empty when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _rounded(cores: float) -> str:
    return f"{cores:.2f}".rstrip("0").rstrip(".")


def _mebibytes(size: int) -> str:
    return f"{size >> 20} MiB"
