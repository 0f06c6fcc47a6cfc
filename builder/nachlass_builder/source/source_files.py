"""Selects, copies and digests the files of a source."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from nachlass_builder.bundle.layout import is_bundle
from nachlass_builder.bundle.manifest import MANIFEST
from nachlass_builder.foundation.git import git
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.foundation.text_file import LFS_POINTER
from nachlass_builder.source.secret_files import SecretFile, describe_secret_files, why_secret
from nachlass_builder.source.source import WORK_FOLDER, Source

SKIPPED_FOLDERS = frozenset(
    {".git", WORK_FOLDER, ".s2i", "__pycache__", ".ipynb_checkpoints", ".venv", ".tox"}
    | {".mypy_cache", ".pytest_cache", ".ruff_cache", "node_modules"}
)
MAX_POINTER_BYTES = 1024


class Files(NamedTuple):
    """The files to copy, relative to the root and sorted, and those left out as secrets.

    `submodules` are the folders of submodules that are not checked out.
    """

    names: list[str]
    secrets: list[SecretFile]
    submodules: list[str]

    @property
    def warnings(self) -> list[str]:
        """The warnings about missing submodules and secrets."""
        submodules = [
            f"{name}: the submodule is not checked out; if the notebook needs it, run "
            "`git submodule update --init`"
            for name in self.submodules
        ]
        return [*submodules, *([describe_secret_files(self.secrets)] if self.secrets else [])]

    def report(self, progress: Progress) -> None:
        """Report the parts of the source that are not copied."""
        for warning in self.warnings:
            progress.warn(warning)


@dataclass(frozen=True)
class Copied:
    """The result of copying: a digest of names, modes and contents, and the files.

    `pointers` are the files that git LFS has not fetched.
    """

    digest: str
    files: Files
    pointers: tuple[str, ...]


def files_of(source: Source, deadline: Deadline) -> Files:
    """Select the files of a source.

    In a git work tree these are the tracked files and the untracked ones that are not
    ignored; elsewhere all files.
    """
    listing = git(
        ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], source.root, deadline
    )
    names: Iterator[str]
    if listing.status == 0:
        names = (name for name in set(listing.stdout.split("\0")) if name)
    else:
        names = _walk(source.root)
    found = sorted(names)
    skipped = source.excluded | _bundles(source.root, found)
    chosen: list[str] = []
    secret: list[SecretFile] = []
    submodules: list[str] = []
    for name in found:
        path = source.root / name
        if _is_skipped(name, skipped) or not os.path.lexists(path):
            continue
        if path.is_dir() and not path.is_symlink():  # a submodule, or a repository inside
            folder = name.rstrip("/")
            if not os.path.lexists(path / ".git"):
                submodules.append(folder)
                continue
            below = tuple(p.removeprefix(f"{folder}/") for p in source.shipped)
            inner = replace(source, root=path, excluded=frozenset(), shipped=below)
            inside = files_of(inner, deadline)
            chosen += [f"{folder}/{file}" for file in inside.names]
            secret += [SecretFile(f"{folder}/{file}", what) for file, what in inside.secrets]
            submodules += [f"{folder}/{file}" for file in inside.submodules]
        elif what := why_secret(path, name, source.shipped):
            secret.append(SecretFile(name, what))
        else:
            chosen.append(name)
    return Files(chosen, secret, submodules)


def copy_source(source: Source, destination: Path, deadline: Deadline) -> Copied:
    """Copy the source's files to a new folder, and digest them."""
    files = files_of(source, deadline)
    names = files.names
    destination.mkdir(parents=True, exist_ok=True)
    for name in names:
        target = destination / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy_file(source.root / name, target, source.root)
    pointers = tuple(name for name in names if _is_pointer(destination / name))
    return Copied(_digest(destination, names), files, pointers)


def digest_source(source: Source, deadline: Deadline) -> str:
    """Return the digest that `copy_source` would give."""
    return _digest(source.root, files_of(source, deadline).names)


def why_left_out(source: Source, name: str, deadline: Deadline) -> str | None:
    """Explain why an existing file is not in the copy, with a remedy; None if it is."""
    path = os.path.normpath(name)
    if os.path.isabs(path) or not (source.root / path).exists():  # noqa: PTH117
        return None
    if path.startswith(".."):
        return f"{name} is outside {source.root.name}, the folder being built: " + (
            f"build a notebook by its path, such as {source.root.name}/model.ipynb, to use the "
            "whole repository as the source"
            if _is_in_repository(source, path, deadline)
            else "copy it there"
        )
    files = files_of(source, deadline)
    if path in files.names:
        return None
    here = f"{name} is in your folder, but"
    if what := dict(files.secrets).get(path):
        return (
            f"{here} it looks like {what} and is left out of bundles: pass its content with "
            "-e NAME=VALUE, or name it in S2I_SHIP"
        )
    if skipped := SKIPPED_FOLDERS.intersection(PurePosixPath(path).parts):
        return f"{here} files in {min(skipped)} are never part of the source: move it elsewhere"
    if git(["check-ignore", "--quiet", path], source.root, deadline).status == 0:
        return (
            f"{here} git ignores it, so it is not part of the source: "
            "remove it from .gitignore, or create it in a cell"
        )
    if (source.root / path).is_dir():
        return f"{here} no file in it is part of the source: create the folder in a cell"
    return f"{here} it is not part of the source: move it elsewhere, or create it in a cell"


def _is_in_repository(source: Source, path: str, deadline: Deadline) -> bool:
    """Return whether a path outside the folder is inside the folder's repository."""
    top = git(["rev-parse", "--show-toplevel"], source.root, deadline)
    outside = (source.root / path).resolve()
    return top.status == 0 and outside.is_relative_to(Path(top.stdout.rstrip("\n")).resolve())


def _walk(root: Path) -> Iterator[str]:
    """Yield every file and link below a folder, except in skipped folders."""
    for folder, folders, files in os.walk(root):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]  # noqa: PTH114, PTH118
        folders[:] = [n for n in folders if n not in SKIPPED_FOLDERS and n not in links]
        for name in [*files, *links]:
            yield (Path(folder) / name).relative_to(root).as_posix()


def _bundles(root: Path, names: Iterable[str]) -> frozenset[str]:
    """Return the folders that are bundles, put into the source by an earlier `-o`."""
    folders = (PurePosixPath(name).parent for name in names if name.endswith(f"/{MANIFEST}"))
    return frozenset(str(folder) for folder in folders if is_bundle(root / folder))


def _is_skipped(name: str, excluded: frozenset[str]) -> bool:
    """Return whether a file is in a skipped folder or a bundle."""
    path = PurePosixPath(name)
    if SKIPPED_FOLDERS.intersection(path.parts):
        return True
    return not excluded.isdisjoint(str(parent) for parent in path.parents)


def _is_pointer(path: Path) -> bool:
    """Return whether a file is a git LFS pointer."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_POINTER_BYTES:
        return False
    return path.read_bytes().startswith(LFS_POINTER)


def _copy_file(path: Path, target: Path, root: Path) -> None:
    """Copy a file with its mode, or a link."""
    if path.is_symlink():
        target.symlink_to(_link(path, root))
        return
    if not stat.S_ISREG(path.stat().st_mode):
        return
    shutil.copyfile(path, target)
    target.chmod(0o755 if os.access(path, os.X_OK) else 0o644)


def _link(path: Path, root: Path) -> Path:
    """Return a link's target in the copy: absolute if outside the source, else inside the copy."""
    link, resolved = path.readlink(), (path.parent / path.readlink()).resolve()
    if not resolved.is_relative_to(root.resolve()):
        return resolved
    if link.is_absolute():
        return Path(os.path.relpath(resolved, path.parent.resolve()))
    return link


def _digest(root: Path, names: list[str]) -> str:
    """Return a SHA-256 over names, kinds and contents."""
    total = hashlib.sha256()
    for name in names:
        path = root / name
        if path.is_symlink():
            content = hashlib.sha256(os.fsencode(_link(path, root)))
            kind = "link"
        elif path.is_file():
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256")
            kind = "program" if os.access(path, os.X_OK) else "file"
        else:
            continue
        total.update(os.fsencode(f"{name}\0{kind}\0{content.hexdigest()}\n"))
    return total.hexdigest()
