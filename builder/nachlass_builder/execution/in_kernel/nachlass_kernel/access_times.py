"""Tells which files of a tree were read, by their times of access. Notebook's kernel.

Set to 1970, a time of access is renewed by the next read, whoever reads: also
on file systems that renew it only when it is older than the last change (Linux's
`relatime`). Where it is never renewed (`noatime`), nothing is told. Standard
library only.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress

UNREAD_NS = 0


class AccessTimes:
    """The regular files below `root`, which nobody has read yet."""

    def __init__(self, root: str) -> None:
        self.marked = [path for path in _files(root) if _mark(path)]

    def read(self) -> Iterator[str]:
        """The files that have been read, in the order of their paths."""
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
    """Let a file count as unread; false for what is no file."""
    try:
        state = os.lstat(path)
        if not stat.S_ISREG(state.st_mode):
            return False
        os.utime(path, ns=(UNREAD_NS, state.st_mtime_ns))
    except OSError:
        return False
    return True
