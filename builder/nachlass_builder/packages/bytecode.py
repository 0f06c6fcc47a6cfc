"""Bytecode of environments: where it is, and how one is spared compiling for another.

A training environment compiles what it imports, into a folder of its own
(PYTHONPYCACHEPREFIX), so that what is installed and the user's source stay as they
are. A serving environment is compiled before it serves, beside its sources,
because whoever serves it may not write there.

uv links files of its cache, so environments share their sources. What one of them
has compiled is linked into the others, by way of a folder of the cache.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nachlass_builder.foundation.process import Deadline, run

SUFFIX = f".{sys.implementation.cache_tag}.pyc"
NEVER_IMPORTED = {
    "ensurepip", "idlelib", "lib2to3", "site-packages", "test", "tests", "tkinter", "turtledemo",
}  # fmt: skip
"""Folders of the standard library that kernels and models do without."""
TESTS = "/tests?/"
"""What is not compiled before it is imported: half of what numpy, pandas and scikit-learn hold."""


def bytecode_folder(python: Path) -> Path:
    """Where a training environment's interpreter keeps its bytecode."""
    return python.parent.parent / "pycache"


def link_standard_library(folder: Path) -> None:
    """Link in a new folder what this Python's standard library has as bytecode.

    Python reads through a link, and replaces one whose source has changed.
    """
    for place, folders, names in os.walk(sysconfig.get_path("stdlib")):
        folders[:] = [name for name in folders if name not in NEVER_IMPORTED]
        if Path(place).name != "__pycache__":
            continue
        linked = folder / Path(place).parent.relative_to("/")
        linked.mkdir(parents=True, exist_ok=True)
        for name in names:
            if name.endswith(SUFFIX):
                (linked / name).symlink_to(Path(place, name))


def compile_all(site_packages: Path, python: Path, deadline: Deadline) -> None:
    """Compile what has no bytecode yet; what cannot be compiled is left for its import to say."""
    # From inside, or folders above it would count as tests.
    words = (python, "-I", "-S", "-m", "compileall", "-qq", "-x", TESTS, ".")
    compiled = partial(run, doing="compiling the packages", deadline=deadline, cwd=site_packages)
    if compiled((*words, "-j", "0")).status:
        # A file that is no Python of ours, or a container without shared memory.
        compiled(words)


@dataclass(frozen=True)
class Bytecode:
    """The bytecode that environments of a cache have compiled, each file under its source's name.

    `prefix` is where an environment keeps its bytecode; beside the sources where it is None.
    """

    cache: Path

    def give(self, site_packages: Path, prefix: Path | None = None) -> None:
        """Link into a new environment what is there for its sources."""
        kept = self._kept()
        for name, compiled in _sources(site_packages, prefix):
            if name in kept:
                compiled.parent.mkdir(parents=True, exist_ok=True)
                _link(self._folder / name, compiled)

    def keep(self, site_packages: Path, prefix: Path | None = None) -> None:
        """Link from an environment what it has compiled itself."""
        kept = self._kept()
        for name, compiled in _sources(site_packages, prefix):
            if name not in kept:
                _link(compiled, self._folder / name)

    def _kept(self) -> set[str]:
        """The names of what is there."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return {path.name for path in self._folder.iterdir()}

    @property
    def _folder(self) -> Path:
        return self.cache / "bytecode" / str(sys.implementation.cache_tag)


def _sources(site_packages: Path, prefix: Path | None) -> Iterator[tuple[str, Path]]:
    """The name of each source, the same for all its hard links, and where its bytecode belongs.

    Python compares time and size with those in the bytecode once more before it uses it.
    """
    for place, folders, files in os.walk(site_packages):
        folders[:] = [name for name in folders if name != "__pycache__"]
        beside = Path(place, "__pycache__")
        there = prefix / Path(place).relative_to("/") if prefix else beside
        for file in files:
            if file.endswith(".py"):
                at = Path(place, file).stat()
                name = f"{at.st_dev:x}-{at.st_ino:x}-{at.st_mtime_ns:x}-{at.st_size:x}.pyc"
                yield name, there / (file.removesuffix(".py") + SUFFIX)


def _link(there: Path, here: Path) -> None:
    """A hard link, where there is something to link and the file system lets us."""
    with suppress(OSError):
        here.hardlink_to(there)
