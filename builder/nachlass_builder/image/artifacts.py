"""What one s2i build leaves to the next.

That is uv's cache, the lock with what decided it, and what was found to be
needed for serving.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from nachlass_builder.bundle.layout import TRAINING_LOCK
from nachlass_builder.bundle.seed import is_seed, write_seed
from nachlass_builder.bundle.staging import remove
from nachlass_builder.foundation.errors import NachlassError
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.packages.lock import Lock
from nachlass_builder.slim.choose_environment import SUBSETS

LOCKS = "locks"
SIZES = "sizes"
LIMIT_BYTES = 8 << 30
"""Above it nothing is kept: s2i takes the artifacts out of one image and into the next."""


@dataclass(frozen=True)
class Artifacts:
    """The artifacts of an image."""

    folder: Path

    @property
    def uv_cache(self) -> Path:
        """Where uv keeps what it has downloaded."""
        return self.folder / "uv"

    def take_over(self, previous: Path, bundle: Path, progress: Progress) -> None:
        """Start with what s2i brings from the previous image, and nothing else.

        Its lock goes to where the bundle will be: a build keeps the lock of the
        bundle that it replaces, when nothing has changed that decides it.
        """
        self.remove()
        remove(bundle)  # an image that was built can be built upon
        reason = _why_unusable(previous)
        if reason is not None:
            self.folder.mkdir(parents=True)
            if reason:
                progress.warn(f"{previous} is not used: {reason}")
            return
        shutil.copytree(previous, self.folder, symlinks=True)
        shutil.copytree(previous / LOCKS, bundle)
        progress.note("artifacts of the previous build are used")

    def remind(self, cache: Path) -> None:
        """Let a build with this cache know what was needed for serving."""
        _copy_if_there(self.folder / SUBSETS, cache / SUBSETS)

    def keep(self, bundle: Path, cache: Path, progress: Progress) -> None:
        """Leave them in the image, unless they have grown too large."""
        _copy_if_there(cache / SUBSETS, self.folder / SUBSETS)
        size = sum(path.lstat().st_size for path in self.folder.rglob("*"))
        if size > LIMIT_BYTES:
            progress.warn(f"{size / 1e9:.0f} GB of artifacts are too many, and are not kept")
            self.remove()
            return
        locks = self.folder / LOCKS
        shutil.rmtree(locks, ignore_errors=True)
        write_seed(locks, bundle)
        (self.folder / SIZES).write_text(_sizes(self.folder), encoding="utf-8")

    def remove(self) -> None:
        """Leave nothing."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def save(self) -> None:
        """Write them to standard output as a tar; an empty one when there are none.

        Hard links become files: s2i's extractor makes empty files of them. The
        archive is complete before any of it is written: half of one would be
        taken for the whole.
        """
        empty = ["--files-from", os.devnull]
        whole = ["-C", str(self.folder), "."] if self.folder.is_dir() else empty
        with TemporaryFile() as archive:
            for words in (whole, empty):
                archive.seek(0)
                archive.truncate()
                command = ["tar", "--create", "--hard-dereference", *words]
                if subprocess.run(command, stdout=archive, check=False).returncode == 0:
                    break
                sys.stderr.write("warning: the artifacts cannot be read, and are not saved\n")
            archive.seek(0)
            shutil.copyfileobj(archive, sys.stdout.buffer)


def _copy_if_there(folder: Path, place: Path) -> None:
    """Copy a folder, in place of another."""
    shutil.rmtree(place, ignore_errors=True)
    if folder.is_dir():
        shutil.copytree(folder, place)


def _why_unusable(previous: Path) -> str | None:
    """Why artifacts cannot be used; an empty text when there are none, None when they can."""
    if not previous.is_dir() or not any(previous.iterdir()):
        return ""
    try:
        Lock.read(previous / LOCKS / TRAINING_LOCK)
        sizes = (previous / SIZES).read_text(encoding="utf-8")
    except (NachlassError, OSError, UnicodeDecodeError):
        sizes = ""
    if not sizes or not is_seed(previous / LOCKS):
        return "it is not what a build of ours leaves"
    return None if sizes == _sizes(previous) else "files of it are damaged"


def _sizes(folder: Path) -> str:
    """A digest of the files' names and sizes: an extractor that fails leaves others."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / SIZES:
            digest.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
    return digest.hexdigest()
