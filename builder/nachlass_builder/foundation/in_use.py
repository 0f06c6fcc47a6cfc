"""Locks that keep a folder of the cache from being pruned while a process uses it.

The lock is a shared one, which the system releases when the process ends, also after a
crash. The modification time of the locked file is the time of the folder's last use.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MARK = "in-use"
"""The locked file. It stays when its folder is emptied, because processes may wait for it."""

_held: dict[Path, int] = {}


def hold(folder: Path) -> None:
    """Mark a folder as in use until this process ends, and as last used now.

    Waits while the folder is being pruned: check afterwards what it still contains.
    In a cache that cannot be written or locked, nothing happens.
    """
    if folder not in _held:
        descriptor = _locked(folder, fcntl.LOCK_SH)
        if descriptor is not None:
            _held[folder] = descriptor
    touch(folder)


def touch(folder: Path) -> None:
    """Mark a folder as last used now, if it has a mark that this user may write."""
    with suppress(OSError):
        os.utime(folder / MARK)


def last_used(folder: Path) -> float:
    """Return the time of a folder's last use, in seconds since 1970."""
    mark = folder / MARK
    return (mark if mark.exists() else folder).lstat().st_mtime


def is_in_use(folder: Path) -> bool:
    """Return whether a process uses a folder; nothing is written."""
    if not (folder / MARK).exists():
        return False
    with exclusive(folder) as is_unused:
        return not is_unused


def hold_across_exec(folder: Path) -> None:
    """Keep the lock on a held folder when this process becomes another program."""
    if folder in _held:
        os.set_inheritable(_held[folder], True)  # noqa: FBT003 - has no name


@contextmanager
def shared(folder: Path) -> Iterator[None]:
    """Mark a folder as in use for a moment."""
    descriptor = _locked(folder, fcntl.LOCK_SH)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def exclusive(folder: Path) -> Iterator[bool]:
    """Yield whether a folder is unused; no process can start to use it until this ends."""
    descriptor = _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _locked(folder: Path, kind: int) -> int | None:
    """Return the locked descriptor of a folder's mark; None without a lock."""
    try:
        descriptor = _open(folder / MARK)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, kind)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _open(mark: Path) -> int:
    """Open a mark, which may belong to another user; create a missing one."""
    try:
        return os.open(mark, os.O_RDWR)  # an exclusive lock on NFS needs write access
    except FileNotFoundError:
        used = mark.parent.stat().st_mtime
        descriptor = os.open(mark, os.O_RDWR | os.O_CREAT, 0o666)
        os.utime(descriptor, (used, used))  # to create it is not to use the folder
        return descriptor
    except OSError:
        return os.open(mark, os.O_RDONLY)
