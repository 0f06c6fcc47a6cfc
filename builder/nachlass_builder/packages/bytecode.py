"""Bytecode of environments: compiled once per version of a distribution, then linked.

A training environment has its bytecode in a separate folder (PYTHONPYCACHEPREFIX), which
leaves the installed files and the user's source unchanged. A serving environment has it
beside its sources, because the service may not be able to write there.

In the cache, the bytecode of a distribution is named after a digest of its modules. The
files are the same in every build: they contain no timestamps, and Python imports them
without checking the sources (PEP 552, unchecked).
"""

from __future__ import annotations

import csv
import json
import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from nachlass_builder.foundation.digest import digest_of, digest_of_file
from nachlass_builder.foundation.errors import NachlassError
from nachlass_builder.foundation.in_use import shared
from nachlass_builder.foundation.process import Deadline, run
from nachlass_builder.packages.library_tests import folder_of_tests, imported_tests

BYTECODE = "bytecode"
"""The folder of the cache."""
CHILD = Path(__file__).parent / "bytecode_child.py"
SUFFIX = f".{sys.implementation.cache_tag}.pyc"
NEVER_IMPORTED = {
    "ensurepip", "idlelib", "lib2to3", "site-packages", "test", "tests", "tkinter", "turtledemo",
}  # fmt: skip
"""Folders of the standard library that kernels and models never import."""
ISOLATED_OPTIONS = ("-I", "-S", "-X", "utf8", "-W", "ignore")
"""Options that isolate the compiling interpreter from variables, locale and site-packages."""
IMPORTED_TESTS = "imported-tests.json"
"""A file beside the bytecode of a distribution: the test modules that its modules import."""
KIND = 1
"""The version of the cache format, because caches outlive versions of this file."""
BATCH_SIZE = 100
"""Sources compiled per process, which lets large distributions use all cores."""


def bytecode_folder(python: Path) -> Path:
    """Return the bytecode folder of a training environment's interpreter."""
    return python.parent.parent / "pycache"


def link_standard_library(folder: Path) -> None:
    """Link the bytecode of this Python's standard library into a new folder.

    Python follows such links, and replaces a link whose source has changed.
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


@dataclass(frozen=True)
class Modules:
    """The modules of a distribution; `key` names their bytecode in the cache."""

    key: str
    sources: Sequence[str]


@dataclass(frozen=True)
class Bytecode:
    """The bytecode of the distributions in a cache's environments."""

    cache: Path

    def link_all(
        self, site_packages: Path, python: Path, deadline: Deadline, folder: Path | None = None
    ) -> set[str]:
        """Link all bytecode beside the sources or into `folder`, compiling missing files first.

        Returns the test modules that other modules import.
        """
        shared_folder = self.cache / BYTECODE
        shared_folder.mkdir(parents=True, exist_ok=True)
        with shared(shared_folder):
            return self._link_all(site_packages, python, deadline, folder)

    def _link_all(
        self, site_packages: Path, python: Path, deadline: Deadline, folder: Path | None
    ) -> set[str]:
        """Link all bytecode while none is pruned."""
        records = sorted(site_packages.glob("*.dist-info/RECORD"))
        found = [modules for modules in map(_read_modules, records) if modules.sources]
        missing = [modules for modules in found if not self._is_whole(modules.key)]
        if missing:
            self._compile(missing, site_packages, python, deadline)
        for modules in found:
            with suppress(OSError):  # another user's, who has used it before
                os.utime(self._kept / modules.key)
            for source in modules.sources:
                path = PurePosixPath(source)
                cache_folder = site_packages / path.parent / "__pycache__"
                place = folder / path.parent if folder else cache_folder
                _link(self._kept / modules.key / f"{source}c", place / f"{path.stem}{SUFFIX}")
        files = (self._kept / modules.key / IMPORTED_TESTS for modules in found)
        return {name for file in files for name in json.loads(file.read_text(encoding="utf-8"))}

    def _is_whole(self, key: str) -> bool:
        """Return whether the bytecode of a distribution is in the cache and complete."""
        return (self._kept / key / IMPORTED_TESTS).is_file()

    @property
    def _kept(self) -> Path:
        """The folder for this version of Python."""
        version = f"{sys.implementation.cache_tag}-{platform.python_version()}"
        return self.cache / BYTECODE / version

    def _compile(
        self, missing: Iterable[Modules], site_packages: Path, python: Path, deadline: Deadline
    ) -> None:
        """Compile distributions; each is cached completely or not at all."""
        self._kept.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self._kept, ignore_cleanup_errors=True) as temporary:
            lists = [
                (f"{temporary}/{modules.key}", modules.sources[start : start + BATCH_SIZE])
                for modules in missing
                for start in range(0, len(modules.sources), BATCH_SIZE)
            ]
            completed = run(
                [python, *ISOLATED_OPTIONS, CHILD],
                doing="compiling the packages",
                deadline=deadline,
                cwd=site_packages,
                stdin=json.dumps(lists),
            )
            if completed.status:
                details = completed.stderr.strip()
                raise NachlassError("the packages cannot be compiled", details=details)
            for modules in missing:
                made = Path(temporary, modules.key)
                made.mkdir(exist_ok=True)  # when nothing of it compiles
                tests = sorted(_imported_tests(site_packages, modules.sources))
                (made / IMPORTED_TESTS).write_text(json.dumps(tests), encoding="utf-8")
                self._keep(made)

    def _keep(self, made: Path) -> None:
        """Move a distribution's bytecode into the cache, unless a concurrent build was faster."""
        place = self._kept / made.name
        if not self._is_whole(made.name):
            shutil.rmtree(place, ignore_errors=True)
        try:
            made.rename(place)
        except OSError:
            if not place.is_dir():
                raise


def _read_modules(record: Path) -> Modules:
    """Read the modules that a RECORD lists, without tests and files outside site-packages."""
    info, site_packages = record.parent, record.parents[1]
    with record.open(newline="", encoding="utf-8") as file:
        listed = {row[0] for row in csv.reader(file) if row}
    sources = sorted(filter(_is_compiled, listed))
    # RECORD also has hashes, but uv does not verify them.
    contents = {
        source: digest_of_file(site_packages / source)
        for source in sources
        if (site_packages / source).is_file()
    }
    return Modules(f"{info.stem}-{digest_of([KIND, contents])[:32]}", list(contents))


def _is_compiled(name: str) -> bool:
    """Return whether a file of RECORD is a module in site-packages and not a test."""
    path = PurePosixPath(name)
    outside = path.is_absolute() or ".." in path.parts
    return path.suffix == ".py" and not outside and folder_of_tests(name) is None


def _imported_tests(site_packages: Path, sources: Iterable[str]) -> set[str]:
    """Return the test modules that modules import."""
    texts = ((s, (site_packages / s).read_text("utf-8", errors="replace")) for s in sources)
    return {name for source, text in texts for name in imported_tests(source, text)}


def _link(source: Path, target: Path) -> None:
    """Link bytecode, or copy it if the file system has no links; replace a wheel's own."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        return  # the source does not compile: importing it reports why
    except OSError:
        shutil.copyfile(source, target)
