"""The artifacts that an s2i build leaves for the next one.

They are uv's cache, the lock with the digest of its inputs, and the packages
that were found to be needed for serving.
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
"""Larger artifacts are not kept: s2i copies them from one image to the next."""


@dataclass(frozen=True)
class Artifacts:
    """The artifacts of an image."""

    folder: Path

    @property
    def uv_cache(self) -> Path:
        """The folder of uv's download cache."""
        return self.folder / "uv"

    def restore(self, previous: Path, bundle: Path, progress: Progress) -> None:
        """Start with exactly the artifacts that s2i copied from the previous image.

        The lock goes to the place of the bundle: a build keeps the lock of the
        bundle that it replaces if the inputs of the lock are unchanged.
        """
        self.remove()
        remove(bundle)  # the builder may be an image with a model
        reason = _why_unusable(previous)
        if reason is not None:
            self.folder.mkdir(parents=True)
            if reason:
                progress.warn(f"ignoring {previous}: {reason}")
            return
        shutil.copytree(previous, self.folder, symlinks=True)
        shutil.copytree(previous / LOCKS, bundle)
        progress.note("using artifacts of the previous build")

    def remind(self, cache: Path) -> None:
        """Copy the packages known to be needed for serving to the cache."""
        _copy_if_there(self.folder / SUBSETS, cache / SUBSETS)

    def keep(self, bundle: Path, cache: Path, progress: Progress) -> None:
        """Keep the artifacts in the image, unless they are too large."""
        _copy_if_there(cache / SUBSETS, self.folder / SUBSETS)
        size = sum(path.lstat().st_size for path in self.folder.rglob("*"))
        if size > LIMIT_BYTES:
            limit = f"limit {LIMIT_BYTES / 1e9:.0f} GB"
            progress.warn(f"artifacts are too large to keep: {size / 1e9:.0f} GB ({limit})")
            self.remove()
            return
        locks = self.folder / LOCKS
        shutil.rmtree(locks, ignore_errors=True)
        write_seed(locks, bundle)
        (self.folder / SIZES).write_text(_sizes(self.folder), encoding="utf-8")

    def remove(self) -> None:
        """Remove the artifacts."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def save(self) -> None:
        """Write the artifacts to standard output as a tar archive, which may be empty.

        Hard links become files, because s2i's extractor turns them into empty files.
        The archive is completed before it is written, because s2i would accept half
        of one.
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
                sys.stderr.write("warning: cannot read the artifacts: not saved\n")
            archive.seek(0)
            shutil.copyfileobj(archive, sys.stdout.buffer)


def _copy_if_there(folder: Path, place: Path) -> None:
    """Replace a folder with a copy of another, if that exists."""
    shutil.rmtree(place, ignore_errors=True)
    if folder.is_dir():
        shutil.copytree(folder, place)


def _why_unusable(previous: Path) -> str | None:
    """Explain why artifacts are unusable: empty if there are none, None if they are usable."""
    if not previous.is_dir() or not any(previous.iterdir()):
        return ""
    try:
        Lock.read(previous / LOCKS / TRAINING_LOCK)
        sizes = (previous / SIZES).read_text(encoding="utf-8")
    except (NachlassError, OSError, UnicodeDecodeError):
        sizes = ""
    if not sizes or not is_seed(previous / LOCKS):
        return "it has no artifacts of nachlass"
    return None if sizes == _sizes(previous) else "some of its files are damaged"


def _sizes(folder: Path) -> str:
    """Return a digest of the files' names and sizes, to detect a failed extraction."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / SIZES:
            digest.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
    return digest.hexdigest()
