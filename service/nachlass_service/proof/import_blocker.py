"""Hides installed distributions.

The builder finds the packages that a model needs by proving it while all others are
hidden: no finder finds the modules of a hidden distribution, and `importlib.metadata`
does not find its version and entry points. Files opened by path remain accessible;
the later proof in the serving environment detects that they are missing.
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
    """The only finder in `sys.meta_path`: it calls the others, except for hidden modules.

    `hidden` has the modules of each hidden distribution; `blocked_imports` collects the
    hidden distributions that were looked up.
    """

    def __init__(self, hidden: Mapping[str, Sequence[str]]) -> None:
        self.blocked_imports: set[str] = set()
        self._hidden = hidden
        self._owners = {module: name for name, modules in hidden.items() for module in modules}
        self._finders = list(sys.meta_path)

    def install(self) -> None:
        """Hide the distributions from now on, and unload their imported modules."""
        self._watch_groups()
        for name in [name for name in sys.modules if self._owner(name)]:
            del sys.modules[name]
        sys.meta_path[:] = [self]

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module; None also for a hidden one."""
        if owner := self._owner(name):
            self.blocked_imports.add(owner)
            return None
        specs = (finder.find_spec(name, path, target) for finder in self._finders)
        return next((spec for spec in specs if spec is not None), None)

    def find_distributions(
        self, context: DistributionFinder.Context | None = None
    ) -> Iterator[Distribution]:
        """Yield the distributions that are not hidden."""
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
        """Invalidate the caches of the other finders."""
        for finder in self._finders:
            if hasattr(finder, "invalidate_caches"):
                finder.invalidate_caches()

    def _owner(self, module: str) -> str | None:
        """Return the hidden distribution of a module."""
        parts = module.split(".")
        names = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
        return next((self._owners[name] for name in names if name in self._owners), None)

    def _watch_groups(self) -> None:
        """Record lookups of entry point groups to which hidden distributions belong."""
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
    """Return a distribution's normalized name."""
    return re.sub(r"[-_.]+", "-", distribution.metadata["Name"] or "").lower()
