"""How much memory the build may take."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def memory_limit() -> str:
    """How much memory there is, by the control groups' limits or the machine, in words."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = min(_limits(), default=machine)
    if limit < machine:
        return f"the memory limit is {limit // 2**20:,} MiB"
    return f"the machine has {machine // 2**20:,} MiB"


def _limits() -> Iterator[int]:
    """The limits of this process's control groups and those around them, both versions."""
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, group = line.split(":", 2)
            if controllers not in ("", "memory"):
                continue
            base = Path("/sys/fs/cgroup", controllers)
            file = "memory.limit_in_bytes" if controllers else "memory.max"
            here = base / group.lstrip("/")
            for folder in (here, *here.parents):
                with suppress(OSError, ValueError):
                    yield int((folder / file).read_text(encoding="ascii"))
                if folder == base:
                    break
