"""Keeps a served bundle unchanged while builds replace it.

A build may replace the folder of a bundle that is being served. A snapshot is a copy
next to it, made of hard links where the file system has them: it needs no space, and
its files remain when the bundle is replaced.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import IO

from nachlass_service.base.errors import BundleError

LOCK = "in-use"
SOURCE = "src"


class Snapshots:
    """The snapshots of one bundle that one service holds.

    Unless `enabled` (in an image, where nothing replaces the bundle), or if the
    bundle's folder is not writable, the bundle itself is served.
    """

    def __init__(self, bundle: Path, *, enabled: bool) -> None:
        self._bundle = bundle
        self._is_enabled = enabled and os.access(bundle.parent, os.W_OK)
        self._folder = bundle.parent / f".{bundle.name}.served"
        self._held: dict[Path, IO[str]] = {}
        self._owner = os.getpid()

    def take(self) -> Path:
        """Copy the current bundle and return the copy; raises BundleError."""
        if not self._is_enabled:
            return self._bundle
        self._remove_leftovers()
        try:
            self._folder.mkdir(exist_ok=True)
            path = Path(mkdtemp(dir=self._folder)) / "bundle"
            self._held[path] = _hold(path.parent)
            _copy(self._bundle, path)
        except OSError as error:
            raise BundleError(f"{self._bundle} cannot be read: {error}") from error
        return path

    def keep_only(self, kept: Path | None) -> None:
        """Remove all snapshots except `kept`, if this is the process that took them."""
        if os.getpid() != self._owner:
            return
        for path in [path for path in self._held if path != kept]:
            shutil.rmtree(path.parent, ignore_errors=True)
            self._held.pop(path).close()
        with suppress(OSError):  # another service has snapshots there, or there is no folder
            self._folder.rmdir()

    def _remove_leftovers(self) -> None:
        """Remove the snapshots of killed services."""
        for folder in self._folder.glob("*"):
            try:
                with (folder / LOCK).open("r+") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
            except OSError:  # a running service, or one that is just starting
                continue


def _hold(folder: Path) -> IO[str]:
    """Lock a folder for as long as any process of the service runs."""
    held = (folder / f"{LOCK}.new").open("w")
    fcntl.flock(held, fcntl.LOCK_EX)
    (folder / f"{LOCK}.new").rename(folder / LOCK)  # the file never appears unlocked
    return held


def _copy(bundle: Path, path: Path) -> None:
    """Copy a bundle; raises FileNotFoundError if it is replaced meanwhile."""
    before = bundle.stat()
    ignored = shutil.ignore_patterns(SOURCE)
    shutil.copytree(
        bundle,
        path,
        symlinks=True,
        copy_function=_link,
        ignore=lambda folder, names: ignored(folder, names) if Path(folder) == bundle else set(),
    )
    # The model may write to its source files, and a link would change the bundle's.
    shutil.copytree(bundle / SOURCE, path / SOURCE, symlinks=True)
    if not os.path.samestat(before, bundle.stat()):
        raise FileNotFoundError("it was replaced meanwhile")


def _link(source: str, target: str) -> None:
    """Hard-link a file; copy it where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
