"""Reads and rewrites PEP 751 lock files.

A lock from uv contains absolute paths and possibly credentials. A bundle's lock refers to
files in the source by paths below `src/`, and has no credentials. `chosen` returns what an
installer would take from either on this machine.
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
"""The Python and platform that a lock is made for."""

METADATA = ("pyproject.toml", "setup.py", "setup.cfg", "requirements*.txt")
_NOT_CONTENT = re.compile(r"(^|/)(__pycache__|\.git|build|[^/]*\.egg-info)(/|$)|\.pyc$")


def packages(document: Table) -> list[Table]:
    """Return the locked packages."""
    found = document.get("packages", [])
    return found if isinstance(found, list) else []


def name_of(package: Table) -> str:
    """Return a package's normalised name."""
    return str(canonicalize_name(str(package["name"])))


def is_source(package: Table) -> bool:
    """Return whether installing the package builds it, because no wheel of it is locked."""
    archive = package.get("archive", {})
    location = str(archive.get("url") or archive.get("path") or "")
    return not package.get("wheels") and not urlsplit(location).path.endswith(".whl")


def settled(document: Table, folder: Path) -> Table:
    """Make paths absolute, and have folders installed as copies, not as links."""

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
    """Rewrite a settled lock's paths in the source to their place in the bundle."""

    def relocate(table: Table) -> None:
        local = _local_path(table)
        if local and local.is_relative_to(source.absolute()):
            table.pop("url", None)
            table["path"] = str(SOURCE_FOLDER / local.relative_to(source.absolute()))

    header = {"created-by": "nachlass", "environments": document.get("environments", [_here()])}
    return {**_rewritten(document, relocate), **header}


def without_credentials(document: Table) -> Table:
    """Remove the credentials from the URLs of a lock."""

    def publish(table: Table) -> None:
        if "url" in table:
            table["url"] = public_url(table["url"])

    copy = _rewritten(document, publish)
    for package in packages(copy):
        if "@" in str(package.get("index", "")):
            del package["index"]
    return copy


def located(document: Table, source: Path) -> Table:
    """Make the paths in the source absolute: the opposite of `relative_to_source`."""

    def locate(table: Table) -> None:
        path = Path(table.get("path", "/"))
        if path.is_relative_to(SOURCE_FOLDER):
            table["path"] = str(source.absolute() / path.relative_to(SOURCE_FOLDER))

    return _rewritten(document, locate)


def left_out(document: Table) -> list[str]:
    """Return the kinds of files that are not installed: `tests`."""
    found: list[str] = document.get("tool", {}).get("nachlass", {}).get(LEAVE_OUT, [])
    return found


def leaving_out(document: Table, kind: str) -> Table:
    """Mark a kind of files as not installed."""
    return {**document, "tool": {"nachlass": {LEAVE_OUT: [kind]}}}


def chosen(document: Table) -> dict[str, tuple[Package, File]]:
    """Return what is installed here, by name: each package and the selected file.

    Raises PylockValidationError if it is not a lock (PEP 751), PylockSelectError if it is
    for a different Python or platform.
    """
    selected = Pylock.from_dict(document).select()
    return {str(package.name): (package, file) for package, file in selected}


def local_files(document: Table) -> list[str]:
    """Return the names of packages locked to local files outside the source."""
    return [
        name_of(package)
        for package in packages(document)
        for local in [next((_local_path(table) for table in _files(package)), None)]
        if local and local.is_absolute()
    ]


def changed_in(document: Table, source: Path) -> Iterator[str]:
    """Yield the names of packages whose files have changed since they were locked, or are gone.

    For a folder, only the files that declare its requirements count.
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
    """Return a digest of a folder's files, without build artefacts."""
    return _digest(folder, folder.rglob("*"))


def metadata_digest(folder: Path) -> str:
    """Return a digest of the files in a package's folder that declare its requirements."""
    return _digest(folder, (path for name in METADATA for path in folder.glob(name)))


def _digest(folder: Path, paths: Iterable[Path]) -> str:
    """Return a digest of the names and contents of files below a folder."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not _NOT_CONTENT.search(name):
            digest.update(f"{name}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _here() -> str:
    """Return the Python and platform that a lock is made for, as a marker."""
    return " and ".join(f"{name} == '{default_environment()[name]}'" for name in PINNED_MARKERS)


def _rewritten(document: Table, change: Callable[[Table], None]) -> Table:
    """Return a copy of the lock with `change` applied to every table that locates a file."""
    copy = deepcopy(document)
    for package in packages(copy):
        for table in _files(package):
            change(table)
    return copy


def _files(package: Table) -> Iterator[Table]:
    """Yield the tables of a package that contain a URL or a path."""
    yield from package.get("wheels", ())
    for key in ("sdist", "archive", "vcs", "directory"):
        if key in package:
            yield package[key]


def _local_path(table: Table) -> Path | None:
    """Return the local path in a table, if it has one."""
    if "path" in table:
        return Path(table["path"])
    parts = urlsplit(table.get("url", ""))
    return Path(unquote(parts.path)) if parts.scheme == "file" else None
