"""Measures the content of the cache."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nachlass_builder.assemble.built_before import BUILT
from nachlass_builder.assemble.secret_parameters import RECORD_FOLDER
from nachlass_builder.bundle.cached import BUNDLES
from nachlass_builder.foundation.in_use import MARK
from nachlass_builder.foundation.keyed_digest import KEY
from nachlass_builder.foundation.size import megabytes, states_of
from nachlass_builder.packages.bytecode import BYTECODE
from nachlass_builder.packages.environment import ENVIRONMENTS, LOCK
from nachlass_builder.packages.service_wheel import WHEELS
from nachlass_builder.slim.choose_environment import SUBSETS

KINDS = {
    "environments": (ENVIRONMENTS,),
    "compiled bytecode": (BYTECODE,),
    "bundles of git URLs and read-only sources": (BUNDLES,),
    "wheels of the service": (WHEELS,),
    "records of builds": (BUILT, SUBSETS, RECORD_FOLDER, KEY, "system", "locks"),
    "uv's cache": ("uv",),
}
"""The kinds of content and their folders."""
OTHER = "other"
REMOVING = ".removing-"
"""The start of the names of folders whose content is being removed."""
PRUNE_LOCK = ".prune.lock"


@dataclass(frozen=True)
class Kind:
    """A kind of content, its number of entries and the bytes of their files."""

    name: str
    entries: int
    size: int


@dataclass(frozen=True)
class CacheSize:
    """The content of a cache; `size` counts files that several entries share once."""

    folder: Path
    kinds: Sequence[Kind]
    size: int

    def as_data(self) -> dict[str, Any]:
        """Return the content as JSON."""
        kinds = [{"name": k.name, "entries": k.entries, "bytes": k.size} for k in self.kinds]
        return {"folder": str(self.folder), "bytes": self.size, "kinds": kinds}

    def as_text(self) -> str:
        """Return the content as lines of text."""
        rows = [(kind.name, str(kind.entries), megabytes(kind.size)) for kind in self.kinds]
        rows.append(("total, shared files once", "", megabytes(self.size)))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = [
            f"  {name:{widths[0]}}  {entries:>{widths[1]}}  {size:>{widths[2]}}"
            for name, entries, size in rows
        ]
        return "\n".join([str(self.folder), *lines])


def cache_size(cache: Path) -> CacheSize:
    """Measure a cache by kind."""
    known = {PRUNE_LOCK, *(folder for folders in KINDS.values() for folder in folders)}
    existing = sorted(path.name for path in cache.iterdir()) if cache.is_dir() else []
    others = tuple(name for name in existing if name not in known)
    kinds: list[Kind] = []
    all_files: dict[tuple[int, int], int] = {}
    for name, folders in {**KINDS, OTHER: others}.items():
        files = dict(_files([cache / folder for folder in folders]))
        all_files.update(files)
        if files or name not in ("uv's cache", OTHER):
            entries = sum(1 for folder in folders for _ in entries_of(cache, folder))
            kinds.append(Kind(name, entries, _sum(files)))
    return CacheSize(cache, kinds, _sum(all_files))


def entries_of(cache: Path, folder: str) -> Iterator[Path]:
    """Yield the entries in a folder of the cache; each can be removed separately."""
    pattern = "*/*" if folder == BYTECODE else "*"  # one folder for each version of Python
    for entry in sorted((cache / folder).glob(pattern)):
        if any(part.startswith(REMOVING) for part in entry.parts):
            continue
        if folder not in (ENVIRONMENTS, BUNDLES, WHEELS) or any(contents_of(entry)):
            yield entry


def contents_of(entry: Path) -> Iterator[Path]:
    """Yield the content of a folder without its lock files."""
    return (path for path in entry.glob("*") if path.name not in (MARK, LOCK))


def freed_by(paths: Iterable[Path]) -> tuple[int, int]:
    """Return the bytes that removing folders frees, and those of files linked elsewhere."""
    links: Counter[tuple[int, int]] = Counter()
    states = {}
    for path in paths:
        for state in states_of(path):
            file = (state.st_dev, state.st_ino)
            links[file] += 1
            states[file] = state
    freed = sum(s.st_size for file, s in states.items() if s.st_nlink <= links[file])
    return freed, sum(s.st_size for s in states.values()) - freed


def _files(paths: Iterable[Path]) -> Iterator[tuple[tuple[int, int], int]]:
    """Yield the files of folders with their sizes."""
    for path in paths:
        for state in states_of(path):
            yield (state.st_dev, state.st_ino), state.st_size


def _sum(files: dict[tuple[int, int], int]) -> int:
    return sum(files.values())
