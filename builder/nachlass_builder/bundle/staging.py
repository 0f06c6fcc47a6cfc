"""Stages bundles next to their destination, and moves them there when complete."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from nachlass_builder.bundle.layout import SOURCE_FOLDER, bundle_at
from nachlass_builder.bundle.seed import is_seed
from nachlass_builder.foundation.errors import SourceError


@dataclass(frozen=True)
class Staging:
    """The staging folder: `bundle` becomes the bundle, `work` is deleted."""

    folder: Path

    @property
    def bundle(self) -> Path:
        """The staged bundle."""
        return self.folder / "bundle"

    @property
    def work(self) -> Path:
        """Files that only the build needs."""
        return self.folder / "work"

    @property
    def source(self) -> Path:
        """The copy of the source that the cells run in; later the bundle's `src/`."""
        return self.work / SOURCE_FOLDER


@contextmanager
def staged(destination: Path, cache: Path) -> Iterator[Staging]:
    """Yield a staging folder for `destination`, for one build at a time, and clean it up.

    First, the leftovers of a killed build are removed, and a bundle that it was replacing is
    restored.
    """
    _check_destination(destination)
    locks = cache / "locks"
    try:
        locks.mkdir(parents=True, exist_ok=True)
        destination.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceError(
            f"{error.filename} cannot be written: {error.strerror}",
            remedy="name another folder with -o, or another cache with S2I_CACHE_DIR",
        ) from error
    # Containers have the same paths, and may share a cache, but not their folders.
    parent = destination.parent.stat()
    place = f"{parent.st_dev}:{parent.st_ino}:".encode() + os.fsencode(destination.resolve())
    key = hashlib.sha256(place).hexdigest()[:16]
    making = destination.parent / f".{destination.name}.making"
    try:
        with FileLock(locks / f"{key}.lock", timeout=0):
            _recover(destination, making)
            try:
                making.mkdir()
                for folder in (making / "bundle", making / "work"):
                    folder.mkdir()
                yield Staging(making)
            finally:
                remove(making)
    except Timeout:
        raise SourceError(
            f"another build is writing {destination}", remedy="wait for it, or use another -o"
        ) from None


def publish(staging: Staging, destination: Path) -> None:
    """Move the finished bundle to its destination, then remove the previous one."""
    before = _before(destination)
    if destination.exists():
        destination.rename(before)
    staging.bundle.rename(destination)
    remove(before)


def _check_destination(destination: Path) -> None:
    """Raise if the destination is neither a bundle nor a seed."""
    if not os.path.lexists(destination) or _was_bundle(destination) or is_seed(destination):
        return
    if destination.is_dir() and not any(destination.iterdir()):
        return
    raise SourceError(
        f"{destination} exists and is not a bundle",
        remedy="name a new folder with -o; only a bundle is replaced",
    )


def _was_bundle(path: Path) -> bool:
    """Return whether a folder is a bundle, even if damaged or of another version."""
    try:
        return bundle_at(path) is not None
    except SourceError:
        return True


def _recover(destination: Path, making: Path) -> None:
    """Clean up after a killed build."""
    remove(making)
    before = _before(destination)
    if before.exists() and not destination.exists():
        before.rename(destination)
    remove(before)


def _before(destination: Path) -> Path:
    """Return the temporary path of the replaced bundle."""
    return destination.parent / f".{destination.name}.before"


def remove(path: Path) -> None:
    """Delete a tree, even with folders that a notebook made read-only, or a link to one."""
    if path.is_symlink():
        path.unlink()
        return
    for folder, folders, _files in os.walk(path):
        for inner in (Path(folder, name) for name in folders):
            if not inner.is_symlink() and not os.access(inner, os.R_OK | os.W_OK | os.X_OK):
                inner.chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)
