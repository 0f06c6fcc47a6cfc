"""The modules that are files of the source itself, and where they are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

SKIPPED_FOLDERS = frozenset({"node_modules", "site-packages", "venv", "env"})
"""Folders of third-party modules, in addition to those that begin with a dot."""

MAX_FOLDERS = 5000
"""The number of a source's folders that are searched for modules."""


class OwnModules:
    """The top-level modules that a source could import from its own files.

    A file `a/b.py` is the module `b` in the folder `a`; `a/b/__init__.py` makes `b` a
    package there. A folder without `__init__.py` counts if it is on the import path.
    """

    def __init__(self, files: Iterable[str]) -> None:
        """Take the source's files, as paths from its root."""
        self._files = {name for name in files if name.endswith(".py")}
        self._folders: dict[str, set[str]] = {}
        self._namespaces: dict[str, set[str]] = {}
        for name in self._files:
            *folders, file = name.split("/")
            if any(
                folder.startswith((".", "__")) or folder in SKIPPED_FOLDERS for folder in folders
            ):
                continue
            if file != "__init__.py":
                self._folders.setdefault(file[:-3], set()).add("/".join(folders))
            elif folders:
                self._folders.setdefault(folders[-1], set()).add("/".join(folders[:-1]))
            for depth, folder in enumerate(folders):
                self._namespaces.setdefault(folder, set()).add("/".join(folders[:depth]))

    @classmethod
    def below(cls, root: Path) -> OwnModules:
        """Read the modules of a folder as it is now."""
        return cls(_python_files(root))

    def folders_with(self, top: str, *, namespaces: bool) -> list[str]:
        """Return the folders, from the root, that contain a top-level module or its namespace."""
        found = self._folders.get(top, set())
        return sorted(found | self._namespaces.get(top, set()) if namespaces else found)

    def has(self, top: str, import_path: Iterable[str] = ("",)) -> bool:
        """Return whether a top-level module is anywhere in the source; `""` is the root."""
        on_path = self._namespaces.get(top, set()) & {*import_path}
        return bool(self._folders.get(top)) or bool(on_path)

    def files_of(self, module: str, import_path: Iterable[str]) -> Iterator[str]:
        """Yield the files that importing a dotted name, or a name in a module, executes."""
        parts = module.split(".")
        for folder in import_path:
            for length in range(1, len(parts) + 1):
                path = PurePosixPath(folder, *parts[:length])
                for name in (f"{path}.py", f"{path}/__init__.py"):
                    if name in self._files:
                        yield name


def _python_files(root: Path) -> Iterator[str]:
    """Yield the Python files below a folder, relative to it."""
    for count, (folder, names, files) in enumerate(os.walk(root)):
        if count >= MAX_FOLDERS:
            return
        names[:] = [name for name in names if not name.startswith((".", "__"))]
        below = Path(folder).relative_to(root)
        yield from ((below / file).as_posix() for file in files if file.endswith(".py"))
