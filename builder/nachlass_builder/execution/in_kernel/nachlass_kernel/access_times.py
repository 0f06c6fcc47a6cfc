"""Detects which files of a tree were read, by their access times. Notebook's kernel.

An access time set to 1970 is updated by the next read of any process, even on file systems that
update it only if it is older than the last change (Linux's `relatime`). File systems that never
update it (`noatime`) reveal nothing. Standard library only.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress

UNREAD_NS = 0


class AccessTimes:
    """The regular files below `root`, marked as unread."""

    def __init__(self, root: str) -> None:
        self.marked = [path for path in _files(root) if _mark(path)]

    def read(self) -> Iterator[str]:
        """Yield the files that have been read, in the order of their paths."""
        for path in self.marked:
            with suppress(OSError):
                if os.lstat(path).st_atime_ns != UNREAD_NS:
                    yield path


def _files(root: str) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            yield os.path.join(folder, name)  # noqa: PTH118


def _mark(path: str) -> bool:
    """Mark a file as unread; return false for anything but a regular file."""
    try:
        state = os.lstat(path)
        if not stat.S_ISREG(state.st_mode):
            return False
        os.utime(path, ns=(UNREAD_NS, state.st_mtime_ns))
    except OSError:
        return False
    return True
