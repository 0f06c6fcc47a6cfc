"""Reads the control groups (cgroups) of this process, of version 1, 2 or both.

The builder and the service, which cannot import each other, have the same file:
`foundation/control_groups.py` and `hosting/control_groups.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

UNLIMITED = 1 << 60
"""Control groups of version 1 say a number like this for no limit."""

GROUP = re.compile(r"\d+:([^:]*):(/.*)")
MOUNT = re.compile(r"\d+ \d+ \S+ (/\S*) (/\S*) .*- (cgroup2?) \S* (\S+)")
TOTAL = re.compile(r"^MemTotal:\s*(\d+) kB", re.MULTILINE)


def memory(root: Path) -> tuple[int, int]:
    """The bytes of memory that the process may use, and those of the machine.

    The first is the smallest limit of the process's control groups and of all groups
    above them. `root` is the folder that holds `proc` and `sys`.
    """
    machine = _machine_memory(root)
    limits = [machine]
    for group in groups(root):
        limits += _limit(read(group / "memory.max"))
        limits += _limit(read(group / "memory.limit_in_bytes"))
    return min(limits), machine


def groups(root: Path) -> Iterator[Path]:
    """The folders of the process's control groups, and of all groups above them."""
    mounts = list(_mounts(root))
    for line in read(root / "proc/self/cgroup").splitlines():
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


def read(path: Path) -> str:
    """A file's text without blanks around it; empty when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _mounts(root: Path) -> Iterator[tuple[str, str, set[str] | None]]:
    """Where control groups are mounted: folder, the group there, its controllers (None: v2)."""
    for line in read(root / "proc/self/mountinfo").splitlines():
        if mount := MOUNT.fullmatch(line):
            inner, mounted, kind, options = mount.groups()
            yield mounted, inner, None if kind == "cgroup2" else set(options.split(","))


def _limit(given: str) -> list[int]:
    """The bytes of a memory limit; `max`, or a number beyond any machine, is none."""
    return [int(given)] if given.isdecimal() and int(given) < UNLIMITED else []


def _machine_memory(root: Path) -> int:
    """The machine's memory in bytes."""
    if total := TOTAL.search(read(root / "proc/meminfo")):
        return int(total[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
