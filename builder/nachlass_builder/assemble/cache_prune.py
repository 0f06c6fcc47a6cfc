"""Prunes the cache: removes entries that no build and no service has used for a while.

Entries are moved away before they are removed: none is ever half removed. Records of
builds are small and stay; uv's cache is not touched.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from errno import EACCES, EPERM, EROFS
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock, Timeout

from nachlass_builder.assemble.cache_size import (
    PRUNE_LOCK,
    REMOVING,
    contents_of,
    entries_of,
    freed_by,
)
from nachlass_builder.bundle.cached import BUNDLES
from nachlass_builder.bundle.staging import remove
from nachlass_builder.foundation.errors import StorageError
from nachlass_builder.foundation.in_use import exclusive, is_in_use, last_used, touch
from nachlass_builder.foundation.progress import counted
from nachlass_builder.foundation.size import megabytes
from nachlass_builder.packages.bytecode import BYTECODE
from nachlass_builder.packages.environment import ENVIRONMENTS, LOCK
from nachlass_builder.packages.service_wheel import WHEELS

NOT_WRITABLE = (EACCES, EPERM, EROFS)
NOUNS = {
    ENVIRONMENTS: "environment",
    BUNDLES: "bundle",
    WHEELS: "wheel",
    BYTECODE: "compiled package",
}


@dataclass
class Pruned:
    """The result of a prune: removed entries, entries kept because they are in use, and bytes.

    `shared` are the bytes of files that are linked elsewhere, too, mostly in uv's cache.
    """

    dry_run: bool
    removed: dict[str, int] = field(default_factory=dict)
    in_use: int = 0
    freed: int = 0
    shared: int = 0

    def as_data(self) -> dict[str, Any]:
        """Return the result as JSON."""
        return {
            "dry_run": self.dry_run,
            "removed": self.removed,
            "in_use": self.in_use,
            "freed_bytes": self.freed,
            "shared_bytes": self.shared,
        }

    def __str__(self) -> str:
        """Return the result as text."""
        names = ", ".join(counted(count, noun) for noun, count in self.removed.items())
        verb = "would remove" if self.dry_run else "removed"
        frees = "would free" if self.dry_run else "freed"
        lines = [f"{verb} {names or 'nothing'}; {frees} {megabytes(self.freed)}"]
        if self.shared:
            shared = megabytes(self.shared)
            lines.append(f"{shared} more are linked from uv's cache or from other entries")
        if self.in_use:
            lines.append(f"kept {counted(self.in_use, 'folder')} in use")
        return "\n".join(lines)


def prune(cache: Path, unused_s: float, *, dry_run: bool) -> Pruned:
    """Remove entries that were not used for some seconds and are not in use.

    Raises StorageError if the cache cannot be written or another prune is running.
    """
    pruned = Pruned(dry_run)
    if not cache.is_dir():
        return pruned
    before = time.time() - unused_s
    try:
        with nullcontext() if dry_run else FileLock(cache / PRUNE_LOCK, timeout=0):
            leftovers = sorted(cache.glob(f"*/{REMOVING}*"))  # by a prune that was killed
            try:
                found = list(_Pruning(cache, before, pruned).run())
                # Measured together: files may be linked from several of them.
                pruned.freed, pruned.shared = freed_by([*leftovers, *found])
            finally:
                for folder in [] if dry_run else cache.glob(f"*/{REMOVING}*"):
                    remove(folder)
    except Timeout as error:
        raise StorageError(f"another prune of {cache} is running", remedy="wait for it") from error
    except OSError as error:
        if error.errno not in NOT_WRITABLE:
            raise
        raise StorageError(
            f"{error.filename} cannot be written: {error.strerror}",
            remedy="prune as the owner of the cache, or name another cache with S2I_CACHE_DIR",
        ) from error
    return pruned


@dataclass(frozen=True)
class _Pruning:
    """One prune: removes entries last used before `before`, or lists them in a dry run."""

    cache: Path
    before: float
    pruned: Pruned

    def run(self) -> Iterator[Path]:
        """Remove every unused entry; yield the paths of the content."""
        for folder in (ENVIRONMENTS, BUNDLES, WHEELS):
            for entry in entries_of(self.cache, folder):
                if self._is_old(entry):
                    with self._unused(entry) as is_unused:
                        # It may have been used since.
                        if is_unused and self._is_old(entry):
                            yield from self._take(folder, list(contents_of(entry)))
        with self._unused(self.cache / BYTECODE) as is_unused:
            for entry in entries_of(self.cache, BYTECODE) if is_unused else ():
                if self._is_old(entry):
                    yield from self._take(BYTECODE, [entry])

    def _take(self, folder: str, contents: list[Path]) -> Iterator[Path]:
        """Move the content of an entry away at once, within its file system."""
        noun = NOUNS[folder]
        self.pruned.removed[noun] = self.pruned.removed.get(noun, 0) + 1
        if self.pruned.dry_run:
            yield from contents
            return
        trash = (self.cache / folder).resolve() / f"{REMOVING}{uuid4().hex}"
        trash.mkdir()
        for number, path in enumerate(contents):
            yield path.rename(trash / str(number))

    def _is_old(self, entry: Path) -> bool:
        return last_used(entry) <= self.before

    @contextmanager
    def _unused(self, folder: Path) -> Iterator[bool]:
        """Yield whether a folder is unused; no process can start to use it until this ends."""
        if not folder.is_dir():
            yield False
            return
        with ExitStack() as locks:
            dry_run = self.pruned.dry_run
            is_unused = not is_in_use(folder) if dry_run else _lock(folder, locks)
            if not is_unused:
                self.pruned.in_use += 1
                if not dry_run:
                    touch(folder)  # a service may have used it for months
            yield is_unused


def _lock(folder: Path, locks: ExitStack) -> bool:
    """Take the locks of a folder; return whether both were free."""
    try:
        # In this order: the second changes the time of a folder without a mark.
        if not locks.enter_context(exclusive(folder)):
            return False
        locks.enter_context(FileLock(folder / LOCK, timeout=0))
    except Timeout:
        return False
    return True
