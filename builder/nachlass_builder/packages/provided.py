"""The modules that each distribution of an environment provides."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import Distribution

from packaging.utils import canonicalize_name

from nachlass_builder.packages.library_tests import is_left_out

CODE = (".py", *EXTENSION_SUFFIXES)


class Provided:
    """The modules of distributions, read from their RECORD files.

    `modules` maps each distribution to the topmost names that it owns: `numpy`, or
    `google.cloud.storage` if `google` and `google.cloud` are shared namespaces; for a
    distribution without modules, its folders. `sizes` are in bytes, without bytecode;
    `tests` is the part of them in tests and Cython sources.
    """

    def __init__(self, distributions: Mapping[str, Distribution]) -> None:
        self.modules: dict[str, tuple[str, ...]] = {}
        self.sizes: dict[str, int] = {}
        self.tests: dict[str, int] = {}
        self._owners: dict[str, set[str]] = {}
        self._aliases: dict[str, set[str]] = {}
        for name, distribution in distributions.items():
            rows = list(_record(distribution))
            modules = {module for path, _ in rows if (module := _of(path))}
            # An import also finds folders without modules, as namespaces.
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
        """Return the distributions that own a module; none for a namespace."""
        parts = module.split(".")
        names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((self._owners[name] for name in names if name in self._owners), set())

    def below(self, namespace: str) -> set[str]:
        """Return the distributions that contribute to a namespace."""
        start = f"{namespace}."
        parts = (owners for name, owners in self._owners.items() if name.startswith(start))
        return set().union(*parts)

    def meant_by(self, text: str) -> set[str]:
        """Return the distributions that a string may name: by module, name or plugin group."""
        owners = self._aliases.get(text, set()) | self._aliases.get(canonicalize_name(text), set())
        is_module = all(part.isidentifier() for part in text.split("."))
        return owners | self.owners(text) if is_module else owners


def first_names(modules: set[str]) -> tuple[str, ...]:
    """Return the topmost names among `modules`: those that are not below another."""

    def is_below_another(module: str) -> bool:
        parts = module.split(".")
        return any(".".join(parts[:length]) in modules for length in range(1, len(parts)))

    return tuple(sorted(module for module in modules if not is_below_another(module)))


def _record(distribution: Distribution) -> Iterator[tuple[str, int]]:
    """Yield the paths, relative to `site-packages`, and sizes of installed files."""
    for row in csv.reader((distribution.read_text("RECORD") or "").splitlines()):
        if len(row) == 3:  # noqa: PLR2004 - path, digest, size
            yield row[0], int(row[2] or 0)


def _of(path: str) -> str | None:
    """Return the module in a file of `site-packages`; None if it is not a module."""
    if not path.endswith(CODE):
        return None
    *folders, file = path.split("/")
    stem = file.partition(".")[0]
    return _dotted(folders if stem == "__init__" else [*folders, stem])


def _folder_of(path: str) -> str | None:
    """Return a file's folder in `site-packages` as a module name; None if it is not one."""
    return _dotted(path.split("/")[:-1])


def _dotted(parts: list[str]) -> str | None:
    """Join parts into the name of a module; None if they do not make one."""
    return ".".join(parts) if parts and all(part.isidentifier() for part in parts) else None
