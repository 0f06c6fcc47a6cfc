"""Hides distributions of an environment, as if they were not installed.

The builder asks what a model needs by proving it while everything else is
hidden: no finder sees the modules of a hidden distribution, nor does
`importlib.metadata` its version and entry points. Files that are opened by
their path are there all the same: the proof in the environment that serves,
which comes later, misses them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, DistributionFinder, EntryPoints, distributions
from types import ModuleType
from typing import Any


class Blocker:
    """The only finder of `sys.meta_path`: it asks the others, except for what is hidden.

    `hidden` names the modules of each hidden distribution; `blocked_imports` are those
    distributions that somebody asked for.
    """

    def __init__(self, hidden: Mapping[str, Sequence[str]]) -> None:
        self.blocked_imports: set[str] = set()
        self._hidden = hidden
        self._owners = {module: name for name, modules in hidden.items() for module in modules}
        self._finders = list(sys.meta_path)

    def install(self) -> None:
        """Hide from now on; nothing that is hidden stays imported."""
        self._watch_groups()
        for name in [name for name in sys.modules if self._owner(name)]:
            del sys.modules[name]
        sys.meta_path[:] = [self]

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module is; None also for one that is hidden."""
        if owner := self._owner(name):
            self.blocked_imports.add(owner)
            return None
        specs = (finder.find_spec(name, path, target) for finder in self._finders)
        return next((spec for spec in specs if spec is not None), None)

    def find_distributions(
        self, context: DistributionFinder.Context | None = None
    ) -> Iterator[Distribution]:
        """The distributions that are not hidden."""
        context = context or DistributionFinder.Context()
        for finder in self._finders:
            find: Any = getattr(finder, "find_distributions", None)
            for distribution in find(context) if find else ():
                name = _name(distribution)
                if name not in self._hidden:
                    yield distribution
                elif context.name:
                    self.blocked_imports.add(name)

    def invalidate_caches(self) -> None:
        """Tell the other finders that there are new modules."""
        for finder in self._finders:
            if hasattr(finder, "invalidate_caches"):
                finder.invalidate_caches()

    def _owner(self, module: str) -> str | None:
        """The hidden distribution that a module is of."""
        parts = module.split(".")
        names = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
        return next((self._owners[name] for name in names if name in self._owners), None)

    def _watch_groups(self) -> None:
        """Note the hidden distributions with entry points in a group that is asked for."""
        groups: dict[str, set[str]] = {}
        for distribution in distributions():
            if (name := _name(distribution)) in self._hidden:
                for entry in distribution.entry_points:
                    groups.setdefault(entry.group, set()).add(name)
        select = EntryPoints.select

        def watched(points: EntryPoints, **params: Any) -> EntryPoints:
            self.blocked_imports |= groups.get(params.get("group", ""), set())
            return select(points, **params)

        EntryPoints.select = watched  # type: ignore[method-assign,assignment]


def _name(distribution: Distribution) -> str:
    """A distribution's name as the builder writes it."""
    return re.sub(r"[-_.]+", "-", distribution.metadata["Name"] or "").lower()
