"""Disk usage of folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def states_of(path: Path) -> Iterator[os.stat_result]:
    """Yield the state of each file in a folder, or of a file; skip files removed meanwhile."""
    if path.is_file():
        yield path.lstat()
    for place, _folders, names in os.walk(path):
        for name in names:
            with suppress(FileNotFoundError):
                yield os.lstat(os.path.join(place, name))  # noqa: PTH118 - there are thousands


def size_of(folder: Path) -> int:
    """Return the size of a folder's files in bytes; hard links count once."""
    return sum({state.st_ino: state.st_size for state in states_of(folder)}.values())


def megabytes(size: int) -> str:
    """Format a number of bytes in megabytes."""
    return f"{size / 1e6:.1f} MB"
