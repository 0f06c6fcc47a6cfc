"""Finds the libraries that an environment's compiled files need and the system lacks."""

from __future__ import annotations

import os
import re
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from nachlass_builder.system.elf import Elf, Kind, read_elf
from nachlass_builder.system.loader_folders import loader_folders

NOT_COMPILED = (".py", ".pyc", ".pyi")
"""Suffixes of most files in an environment; all other files are opened."""

C_LIBRARY = re.compile(r"libc\.so\.6|libc\.musl-.+\.so\.1")
ORIGIN = re.compile(r"\$(ORIGIN\b|\{ORIGIN\})")


class Libraries(NamedTuple):
    """The system libraries found, and the missing ones by name with the files that need them."""

    found: list[Path]
    missing: dict[str, list[Path]]


def libraries_of(
    environment: Path, search: Sequence[Path] = (), *, system: Sequence[Path] | None = None
) -> Libraries:
    """Return the system libraries that compiled files need, in order.

    `environment` is a Python environment, `search` the folders of LD_LIBRARY_PATH, `system` the
    loader's default folders. The libraries that a found system library needs are looked up, too.

    A library counts as provided if a file of the environment has its name, because packages load
    the libraries of others before the files that need them; so do the libraries that the
    interpreter loads. Files for another architecture or C library than the interpreter's, which
    packages ship for other systems, are ignored. If programs are not ELF files, nothing is
    missing.
    """
    interpreter = _interpreter(environment)
    elf = read_elf(interpreter)
    if elf is None:
        return Libraries([], {})
    system = loader_folders() if system is None else system
    loader = _Loader(elf.kind, _expanded(elf.rpath, interpreter), search, system)
    loader.follow({interpreter: elf})
    loaded = {name for file in loader.found.values() for name in (file.soname,) if name}
    files, names = _compiled(environment, loader)
    loader.provided = names | loaded
    loader.follow(files)
    return Libraries(
        sorted(path for path in loader.found if path.parent in system),
        {name: sorted(loader.missing[name]) for name in sorted(loader.missing)},
    )


@dataclass
class _Loader:
    """Looks for libraries like the dynamic loader: the same folders, order and kinds of files."""

    kind: Kind
    rpath: Sequence[Path]
    """The interpreter's, which a process searches for files without DT_RUNPATH."""
    search: Sequence[Path]
    system: Sequence[Path]
    provided: set[str] = field(default_factory=set)
    found: dict[Path, Elf] = field(default_factory=dict)
    missing: dict[str, list[Path]] = field(default_factory=dict)
    _listed: dict[Path, frozenset[str]] = field(default_factory=dict)

    def follow(self, files: dict[Path, Elf]) -> None:
        """Look for all libraries that the files need, and those that these need."""
        waiting = deque(files.items())
        while waiting:
            path, elf = waiting.popleft()
            for name in elf.needed:
                if name in self.provided:
                    continue
                library = self._look_for(name, path, elf)
                if library is None:
                    self.missing.setdefault(name, []).append(path)
                elif library[0] not in self.found:
                    self.found[library[0]] = library[1]
                    waiting.append(library)

    def has(self, name: str) -> bool:
        """Return whether the system's folders have a library."""
        return any(self._fitting(folder, name) for folder in (*self.search, *self.system))

    def _look_for(self, name: str, path: Path, elf: Elf) -> tuple[Path, Elf] | None:
        """Return the library that the loader finds for a name in a file."""
        if "/" in name:
            paths = _expanded([name], path)
            return next((found for at in paths if (found := self._read(at))), None)
        folders = [*self.search, *_expanded(elf.runpath, path), *self.system]
        if not elf.runpath:
            folders = [*_expanded(elf.rpath, path), *self.rpath, *folders]
        return next((found for at in folders if (found := self._fitting(at, name))), None)

    def _fitting(self, folder: Path, name: str) -> tuple[Path, Elf] | None:
        """Return a library of a folder, if the process can load it."""
        if folder not in self._listed:
            try:
                self._listed[folder] = frozenset(entry.name for entry in folder.iterdir())
            except OSError:
                self._listed[folder] = frozenset()
        return self._read(folder / name) if name in self._listed[folder] else None

    def _read(self, path: Path) -> tuple[Path, Elf] | None:
        """Return a library by its path, reading it once."""
        elf = self.found.get(path) or read_elf(path)
        return (path, elf) if elf and elf.kind == self.kind else None


def _interpreter(environment: Path) -> Path:
    """Return the environment's interpreter; ours if it is a script or missing."""
    own = (environment / "bin/python").resolve()
    return own if read_elf(own) else Path(sys.executable).resolve()


def _compiled(environment: Path, loader: _Loader) -> tuple[dict[Path, Elf], set[str]]:
    """Return the files that the interpreter can load, and all their library names."""
    by_inode: dict[tuple[int, int], Elf | None] = {}
    files: dict[Path, Elf] = {}
    names: set[str] = set()
    for path, inode in _files(environment):
        first = inode not in by_inode
        if first:
            elf = read_elf(path)
            by_inode[inode] = elf if elf and _is_ours(elf, loader) else None
        if found := by_inode[inode]:
            names |= {path.name, *([found.soname] if found.soname else ())}
            if first:
                files[path] = found
    return files, names


def _is_ours(elf: Elf, loader: _Loader) -> bool:
    """Return whether a file is for this system's architecture and C library."""
    foreign = (name for name in elf.needed if C_LIBRARY.fullmatch(name) and not loader.has(name))
    return elf.kind == loader.kind and not any(foreign)


def _files(environment: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    """Yield the files that may be compiled, by their first path, with device and inode."""
    links = []
    for folder, _folders, names in os.walk(environment):
        for name in names:
            if name.endswith(NOT_COMPILED):
                continue
            path = Path(folder, name)
            if path.is_symlink():
                links.append(path)
            else:
                yield from _regular(path)
    # Links come after the files, because a library is known by its own name. uv may link all files.
    for path in links:
        yield from _regular(path)


def _regular(path: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    """Yield a path with its inode if it is a regular file."""
    with suppress(OSError):  # a dangling link, or no permission
        status = path.stat()
        if S_ISREG(status.st_mode):
            yield path, (status.st_dev, status.st_ino)


def _expanded(paths: Sequence[str], path: Path) -> list[Path]:
    """Expand `$ORIGIN` to the file's folder in a search path, or in names with a slash.

    Relative paths are dropped: the loader resolves them against the current folder.
    """
    origin = str(path.parent.absolute())
    expanded = (Path(ORIGIN.sub(lambda _found: origin, folder)) for folder in paths)
    return [folder for folder in expanded if folder.is_absolute()]
