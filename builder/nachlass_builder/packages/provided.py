"""Says which distribution of an environment provides a module."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import Distribution

from packaging.utils import canonicalize_name

from nachlass_builder.packages.library_tests import is_left_out

CODE = (".py", *EXTENSION_SUFFIXES)


class Provided:
    """The modules of distributions, read from their records of installed files.

    `modules` has, for each distribution, the first names that are its own:
    `numpy`, or `google.cloud.storage` where `google` and `google.cloud` are
    namespaces, which several share; for a distribution without modules, its folders
    of files. `sizes` are in bytes, without bytecode; `tests` are those of tests, and of
    Cython's sources, among them.
    """

    def __init__(self, there: Mapping[str, Distribution]) -> None:
        self.modules: dict[str, tuple[str, ...]] = {}
        self.sizes: dict[str, int] = {}
        self.tests: dict[str, int] = {}
        self._owners: dict[str, set[str]] = {}
        self._aliases: dict[str, set[str]] = {}
        for name, distribution in there.items():
            rows = list(_record(distribution))
            modules = {module for path, _ in rows if (module := _of(path))}
            # An import finds folders without modules, too, as namespaces.
            folders = {folder for path, _ in rows if (folder := _folder_of(path))}
            self.modules[name] = first_names(modules or folders)
            self.sizes[name] = sum(size for _, size in rows)
            self.tests[name] = sum(size for path, size in rows if is_left_out(path))
            for module in self.modules[name]:
                self._owners.setdefault(module, set()).add(name)
            for group in {entry.group for entry in distribution.entry_points}:
                self._aliases.setdefault(group, set()).add(name)
            self._aliases.setdefault(name, set()).add(name)

    def owners(self, module: str) -> set[str]:
        """The distributions that own a module; none for a namespace."""
        parts = module.split(".")
        names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((self._owners[name] for name in names if name in self._owners), set())

    def below(self, namespace: str) -> set[str]:
        """The distributions that have a part in a namespace."""
        start = f"{namespace}."
        parts = (owners for name, owners in self._owners.items() if name.startswith(start))
        return set().union(*parts)

    def meant_by(self, text: str) -> set[str]:
        """The distributions that a string may mean: of a module, a name, or a group of plugins."""
        meant = self._aliases.get(text, set()) | self._aliases.get(canonicalize_name(text), set())
        is_module = all(part.isidentifier() for part in text.split("."))
        return meant | self.owners(text) if is_module else meant


def first_names(modules: set[str]) -> tuple[str, ...]:
    """The names among `modules` that are below no other: what a distribution calls its own."""

    def is_below_another(module: str) -> bool:
        parts = module.split(".")
        return any(".".join(parts[:length]) in modules for length in range(1, len(parts)))

    return tuple(sorted(module for module in modules if not is_below_another(module)))


def _record(distribution: Distribution) -> Iterator[tuple[str, int]]:
    """The paths and sizes of installed files, beside the environment's `site-packages`."""
    for row in csv.reader((distribution.read_text("RECORD") or "").splitlines()):
        if len(row) == 3:  # noqa: PLR2004 - path, digest, size
            yield row[0], int(row[2] or 0)


def _of(path: str) -> str | None:
    """The module that is in a file of `site-packages`; None when it is no module."""
    if not path.endswith(CODE):
        return None
    *folders, file = path.split("/")
    stem = file.partition(".")[0]
    return _dotted(folders if stem == "__init__" else [*folders, stem])


def _folder_of(path: str) -> str | None:
    """The folder of a file of `site-packages`, as an import names it; None when it cannot."""
    return _dotted(path.split("/")[:-1])


def _dotted(parts: list[str]) -> str | None:
    """The name of a module; None when it is no name."""
    return ".".join(parts) if parts and all(part.isidentifier() for part in parts) else None
