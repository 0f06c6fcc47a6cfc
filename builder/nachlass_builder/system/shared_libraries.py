"""Finds the libraries that the compiled files of an environment need, and the system lacks."""

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
"""How most files of an environment end; a folder's other files are opened."""

C_LIBRARY = re.compile(r"libc\.so\.6|libc\.musl-.+\.so\.1")
ORIGIN = re.compile(r"\$(ORIGIN\b|\{ORIGIN\})")


class Libraries(NamedTuple):
    """The system's libraries that were found, and those that were not: by name, who needs each."""

    found: list[Path]
    missing: dict[str, list[Path]]


def libraries_of(
    environment: Path, search: Sequence[Path] = (), *, system: Sequence[Path] | None = None
) -> Libraries:
    """The libraries of the system that compiled files need, in order.

    `environment` is one of Python's, `search` the folders of LD_LIBRARY_PATH,
    `system` those where this system's loader looks of itself. A library of the
    system that is found is asked what it needs in its turn.

    Whatever a file of the environment provides by its name counts as provided:
    packages load the libraries of others before the files that need them. So
    does what the interpreter itself loads. Left out are files of another
    architecture or another C library than the interpreter's, which packages
    carry for other systems. Where programs are no ELF files, nothing is missing.
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
    """Looks for libraries as the dynamic loader does: where, in this order, and of which kind."""

    kind: Kind
    rpath: Sequence[Path]
    """The interpreter's, in which a process looks for whatever has no DT_RUNPATH."""
    search: Sequence[Path]
    system: Sequence[Path]
    provided: set[str] = field(default_factory=set)
    found: dict[Path, Elf] = field(default_factory=dict)
    missing: dict[str, list[Path]] = field(default_factory=dict)
    _listed: dict[Path, frozenset[str]] = field(default_factory=dict)

    def follow(self, files: dict[Path, Elf]) -> None:
        """Look for all that the files need, and what is found needs."""
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
        """Whether the system's folders have a library."""
        return any(self._fitting(folder, name) for folder in (*self.search, *self.system))

    def _look_for(self, name: str, path: Path, elf: Elf) -> tuple[Path, Elf] | None:
        """The library that a file is given for a name."""
        if "/" in name:
            paths = _expanded([name], path)
            return next((found for at in paths if (found := self._read(at))), None)
        folders = [*self.search, *_expanded(elf.runpath, path), *self.system]
        if not elf.runpath:
            folders = [*_expanded(elf.rpath, path), *self.rpath, *folders]
        return next((found for at in folders if (found := self._fitting(at, name))), None)

    def _fitting(self, folder: Path, name: str) -> tuple[Path, Elf] | None:
        """A library of a folder, if one process can load it."""
        if folder not in self._listed:
            try:
                self._listed[folder] = frozenset(entry.name for entry in folder.iterdir())
            except OSError:
                self._listed[folder] = frozenset()
        return self._read(folder / name) if name in self._listed[folder] else None

    def _read(self, path: Path) -> tuple[Path, Elf] | None:
        """A library by its path, read once."""
        elf = self.found.get(path) or read_elf(path)
        return (path, elf) if elf and elf.kind == self.kind else None


def _interpreter(environment: Path) -> Path:
    """The program that loads the environment's files; ours where it is a script, or not there."""
    own = (environment / "bin/python").resolve()
    return own if read_elf(own) else Path(sys.executable).resolve()


def _compiled(environment: Path, loader: _Loader) -> tuple[dict[Path, Elf], set[str]]:
    """The files that the interpreter can load, and all names by which they provide a library."""
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
    """Whether a file is for this system's architecture and C library."""
    foreign = (name for name in elf.needed if C_LIBRARY.fullmatch(name) and not loader.has(name))
    return elf.kind == loader.kind and not any(foreign)


def _files(environment: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    """The files that may be compiled, by the first of their paths, and what makes each one."""
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
    # After the files: a library is told by its own name. uv can make all of them links.
    for path in links:
        yield from _regular(path)


def _regular(path: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    """A path and its inode, unless it is of no file."""
    with suppress(OSError):  # a link to nowhere, or to where we may not look
        status = path.stat()
        if S_ISREG(status.st_mode):
            yield path, (status.st_dev, status.st_ino)


def _expanded(paths: Sequence[str], path: Path) -> list[Path]:
    """A file's search path, or names with a slash, with the file's own folder for `$ORIGIN`.

    The loader takes other paths as from the current folder, which serves nobody.
    """
    origin = str(path.parent.absolute())
    expanded = (Path(ORIGIN.sub(lambda _found: origin, folder)) for folder in paths)
    return [folder for folder in expanded if folder.is_absolute()]
