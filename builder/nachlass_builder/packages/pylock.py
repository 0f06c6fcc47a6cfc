"""Reads and rewrites PEP 751 lock files.

What uv locks names absolute paths and may carry credentials. A bundle's lock names
what lies in the source by paths below `src/`, and has no credentials. `chosen` is
what an installer takes of either here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from packaging.markers import default_environment
from packaging.pylock import (
    Package,
    PackageArchive,
    PackageDirectory,
    PackageSdist,
    PackageVcs,
    PackageWheel,
    Pylock,
)
from packaging.utils import canonicalize_name

from nachlass_builder.bundle.layout import SOURCE_FOLDER
from nachlass_builder.foundation.credentials import public_url
from nachlass_builder.foundation.digest import digest_of_file

Table = dict[str, Any]
File = PackageVcs | PackageDirectory | PackageArchive | PackageWheel | PackageSdist

LEAVE_OUT = "leave-out"
"""A key of `tool.nachlass` in a lock."""
PINNED_MARKERS: tuple[
    Literal["implementation_name", "python_version", "sys_platform", "platform_machine"], ...
] = ("implementation_name", "python_version", "sys_platform", "platform_machine")
"""What a lock is made for."""

METADATA = ("pyproject.toml", "setup.py", "setup.cfg", "requirements*.txt")
_NOT_CONTENT = re.compile(r"(^|/)(__pycache__|\.git|build|[^/]*\.egg-info)(/|$)|\.pyc$")


def packages(document: Table) -> list[Table]:
    """The locked packages."""
    found = document.get("packages", [])
    return found if isinstance(found, list) else []


def name_of(package: Table) -> str:
    """A package's normalised name."""
    return str(canonicalize_name(str(package["name"])))


def is_source(package: Table) -> bool:
    """Whether installing the package builds it: nothing locked for it is a wheel."""
    archive = package.get("archive", {})
    where = str(archive.get("url") or archive.get("path") or "")
    return not package.get("wheels") and not urlsplit(where).path.endswith(".whl")


def settled(document: Table, folder: Path) -> Table:
    """The lock with absolute paths, and folders installed as they are now, not linked."""

    def settle(table: Table) -> None:
        if "path" in table:
            table["path"] = str((folder / table["path"]).absolute())

    copy = _rewritten(document, settle)
    for package in packages(copy):
        if directory := package.get("directory"):
            directory.pop("editable", None)
            path = Path(directory["path"])
            if path.is_dir():
                facts = {"digest": folder_digest(path), "metadata": metadata_digest(path)}
                package["tool"] = {"nachlass": facts}
    return copy


def relative_to_source(document: Table, source: Path) -> Table:
    """A settled lock in which what lies in the source is named as the bundle holds it."""

    def relocate(table: Table) -> None:
        local = _local_path(table)
        if local and local.is_relative_to(source.absolute()):
            table.pop("url", None)
            table["path"] = str(SOURCE_FOLDER / local.relative_to(source.absolute()))

    said = {"created-by": "nachlass", "environments": document.get("environments", [_here()])}
    return {**_rewritten(document, relocate), **said}


def without_credentials(document: Table) -> Table:
    """The lock without user and password in its URLs."""

    def publish(table: Table) -> None:
        if "url" in table:
            table["url"] = public_url(table["url"])

    copy = _rewritten(document, publish)
    for package in packages(copy):
        if "@" in str(package.get("index", "")):
            del package["index"]
    return copy


def located(document: Table, source: Path) -> Table:
    """The opposite of `relative_to_source`: absolute paths of what lies in the source."""

    def locate(table: Table) -> None:
        path = Path(table.get("path", "/"))
        if path.is_relative_to(SOURCE_FOLDER):
            table["path"] = str(source.absolute() / path.relative_to(SOURCE_FOLDER))

    return _rewritten(document, locate)


def left_out(document: Table) -> list[str]:
    """The kinds of files that are not installed: `tests`."""
    found: list[str] = document.get("tool", {}).get("nachlass", {}).get(LEAVE_OUT, [])
    return found


def leaving_out(document: Table, kind: str) -> Table:
    """The lock with a kind of files that is not to be installed."""
    return {**document, "tool": {"nachlass": {LEAVE_OUT: [kind]}}}


def chosen(document: Table) -> dict[str, tuple[Package, File]]:
    """What is installed here, by name: the package, and which of its files.

    Raises PylockValidationError for what is no lock (PEP 751), PylockSelectError
    for one of another Python or platform.
    """
    selected = Pylock.from_dict(document).select()
    return {str(package.name): (package, file) for package, file in selected}


def local_files(document: Table) -> list[str]:
    """The names of packages that only this machine has: files outside the source."""
    return [
        name_of(package)
        for package in packages(document)
        for local in [next((_local_path(table) for table in _files(package)), None)]
        if local and local.is_absolute()
    ]


def changed_in(document: Table, source: Path) -> Iterator[str]:
    """The names of packages whose files are not those that were locked, or are gone.

    Of a folder only what says what it needs has to be the same.
    """
    for package in packages(document):
        facts = package.get("tool", {}).get("nachlass", {})
        for table in _files(package):
            path = Path(table.get("path", "/"))
            if not path.is_relative_to(SOURCE_FOLDER):
                continue
            here = source / path.relative_to(SOURCE_FOLDER)
            if table is package.get("directory"):
                changed = metadata_digest(here) != facts.get("metadata")
            else:
                locked = table.get("hashes", {}).get("sha256")
                changed = not here.is_file() or (locked and digest_of_file(here) != locked)
            if changed:
                yield name_of(package)
                break


def folder_digest(folder: Path) -> str:
    """A digest of a folder's files, without what builds leave behind."""
    return _digest(folder, folder.rglob("*"))


def metadata_digest(folder: Path) -> str:
    """A digest of the files of a package's folder that say what it needs."""
    return _digest(folder, (path for name in METADATA for path in folder.glob(name)))


def _digest(folder: Path, paths: Iterable[Path]) -> str:
    """A digest of the names and the contents of files below a folder."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not _NOT_CONTENT.search(name):
            digest.update(f"{name}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _here() -> str:
    """The Python and the platform that a lock is made for, as a marker."""
    return " and ".join(f"{name} == '{default_environment()[name]}'" for name in PINNED_MARKERS)


def _rewritten(document: Table, change: Callable[[Table], None]) -> Table:
    """A copy of the lock, in which every table that says where a file is was changed."""
    copy = deepcopy(document)
    for package in packages(copy):
        for table in _files(package):
            change(table)
    return copy


def _files(package: Table) -> Iterator[Table]:
    """The tables of a package that hold a URL or a path."""
    yield from package.get("wheels", ())
    for key in ("sdist", "archive", "vcs", "directory"):
        if key in package:
            yield package[key]


def _local_path(table: Table) -> Path | None:
    """The path a table means, when it means one."""
    if "path" in table:
        return Path(table["path"])
    parts = urlsplit(table.get("url", ""))
    return Path(unquote(parts.path)) if parts.scheme == "file" else None
