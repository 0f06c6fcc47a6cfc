"""Disk usage of folders."""

from __future__ import annotations

import os
from pathlib import Path


def size_of(folder: Path) -> int:
    """Return the size of a folder's files in bytes; hard links count once."""
    files = {}
    for place, _folders, names in os.walk(folder):
        for name in names:
            state = os.lstat(os.path.join(place, name))  # noqa: PTH118 - there are thousands
            files[state.st_ino] = state.st_size
    return sum(files.values())


def megabytes(size: int) -> str:
    """Format a number of bytes in megabytes."""
    return f"{size / 1e6:.1f} MB"
