"""Where bundles are made, beside their place, and how they get there whole."""

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
    """Where a bundle is in the making: `bundle` becomes the bundle, `work` is thrown away."""

    folder: Path

    @property
    def bundle(self) -> Path:
        """The bundle in the making."""
        return self.folder / "bundle"

    @property
    def work(self) -> Path:
        """Everything that only the build needs."""
        return self.folder / "work"

    @property
    def source(self) -> Path:
        """The copy of the source that the cells run in; later the bundle's `src/`."""
        return self.work / SOURCE_FOLDER


@contextmanager
def staged(destination: Path, cache: Path) -> Iterator[Staging]:
    """A place to make the bundle for `destination`; one build at a time, nothing left behind.

    What a killed build left is cleared away first, and a bundle that it was
    about to replace is put back.
    """
    _check_destination(destination)
    locks = cache / "locks"
    try:
        locks.mkdir(parents=True, exist_ok=True)
        destination.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceError(
            f"{error.filename} cannot be written: {error.strerror}",
            remedy="name another place with -o, or another cache with S2I_CACHE_DIR",
        ) from error
    # A container has the same paths as another, and maybe its cache, but not its folders.
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
    """Move the finished bundle to its place; the previous one goes once it is there."""
    before = _before(destination)
    if destination.exists():
        destination.rename(before)
    staging.bundle.rename(destination)
    remove(before)


def _check_destination(destination: Path) -> None:
    """Refuse to replace what is neither a bundle nor a seed."""
    if not os.path.lexists(destination) or _was_bundle(destination) or is_seed(destination):
        return
    if destination.is_dir() and not any(destination.iterdir()):
        return
    raise SourceError(
        f"{destination} exists and is not a bundle",
        remedy="name a new folder with -o; only a bundle is ever replaced",
    )


def _was_bundle(path: Path) -> bool:
    """Whether a folder is a bundle, be it damaged or another version's."""
    try:
        return bundle_at(path) is not None
    except SourceError:
        return True


def _recover(destination: Path, making: Path) -> None:
    """Undo what a killed build left."""
    remove(making)
    before = _before(destination)
    if before.exists() and not destination.exists():
        before.rename(destination)
    remove(before)


def _before(destination: Path) -> Path:
    """Where the replaced bundle is for a moment."""
    return destination.parent / f".{destination.name}.before"


def remove(path: Path) -> None:
    """Delete a tree, also one whose folders a notebook locked, or the link that stands for it."""
    if path.is_symlink():
        path.unlink()
        return
    for folder, folders, _files in os.walk(path):
        for inner in (Path(folder, name) for name in folders):
            if not inner.is_symlink() and not os.access(inner, os.R_OK | os.W_OK | os.X_OK):
                inner.chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)
