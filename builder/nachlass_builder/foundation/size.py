"""How much room a folder takes."""

from __future__ import annotations

import os
from pathlib import Path


def size_of(folder: Path) -> int:
    """The bytes of a folder's files, those with several links once."""
    files = {}
    for place, _folders, names in os.walk(folder):
        for name in names:
            state = os.lstat(os.path.join(place, name))  # noqa: PTH118 - there are thousands
            files[state.st_ino] = state.st_size
    return sum(files.values())


def megabytes(size: int) -> str:
    """A number of bytes, for people."""
    return f"{size / 1e6:.1f} MB"
