"""Reads the control groups (cgroups) of this process: version 1, version 2, or both.

The builder and the service cannot import each other, so each has a copy of this file:
`foundation/control_groups.py` and `hosting/control_groups.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

UNLIMITED = 1 << 60
"""Version 1 reports a number at least this large when there is no limit."""

GROUP = re.compile(r"\d+:([^:]*):(/.*)")
MOUNT = re.compile(r"\d+ \d+ \S+ (/\S*) (/\S*) .*- (cgroup2?) \S* (\S+)")
TOTAL = re.compile(r"^MemTotal:\s*(\d+) kB", re.MULTILINE)


def memory(root: Path) -> tuple[int, int]:
    """Return the memory limit of the process and the memory of the machine, in bytes.

    The limit is the smallest of the process's control groups and all their parents.
    `root` is the folder that contains `proc` and `sys`.
    """
    machine = _machine_memory(root)
    limits = [machine]
    for group in groups(root):
        limits += _limit(read(group / "memory.max"))
        limits += _limit(read(group / "memory.limit_in_bytes"))
    return min(limits), machine


def groups(root: Path) -> Iterator[Path]:
    """Yield the folders of the process's control groups and of all their parents."""
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
    """Return a file's text, stripped; empty if the file cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _mounts(root: Path) -> Iterator[tuple[str, str, set[str] | None]]:
    """Yield the mounts of control groups: folder, group, controllers (None for version 2)."""
    for line in read(root / "proc/self/mountinfo").splitlines():
        if mount := MOUNT.fullmatch(line):
            inner, mounted, kind, options = mount.groups()
            yield mounted, inner, None if kind == "cgroup2" else set(options.split(","))


def _limit(text: str) -> list[int]:
    """Return a memory limit in bytes; nothing for `max` or a number beyond any machine."""
    return [int(text)] if text.isdecimal() and int(text) < UNLIMITED else []


def _machine_memory(root: Path) -> int:
    """Return the machine's memory in bytes."""
    if total := TOTAL.search(read(root / "proc/meminfo")):
        return int(total[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
