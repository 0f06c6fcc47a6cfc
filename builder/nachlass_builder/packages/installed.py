"""The distributions of an environment, and their dependencies."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import Distribution, PackageMetadata, distributions
from os import PathLike
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name


class _Installed(Distribution):
    """A distribution whose metadata is parsed once."""

    def __init__(self, found: Distribution) -> None:
        self._found = found

    @cached_property
    def metadata(self) -> PackageMetadata:
        """The parsed METADATA."""
        return self._found.metadata

    def read_text(self, filename: str) -> str | None:
        """Read a file of its *.dist-info."""
        return self._found.read_text(filename)

    def locate_file(self, path: str | PathLike[str]) -> Any:
        """Return the path of one of its files."""
        return self._found.locate_file(path)


def installed(site_packages: Path) -> dict[str, Distribution]:
    """Return the distributions of an environment, by normalised name."""
    found: dict[str, Distribution] = {}
    for distribution in map(_Installed, distributions(path=[str(site_packages)])):
        name = distribution.metadata["Name"]
        if name:
            found[canonicalize_name(name)] = distribution
    return found


@dataclass
class Need:
    """A needed distribution: `by` which other (None for a root), and its own `needs`."""

    by: str | None
    needs: set[str] = field(default_factory=set)


def needed(
    distributions: Mapping[str, Distribution],
    roots: Iterable[str],
    *,
    with_extras: bool = False,
    ignoring: Collection[tuple[str, str]] = (),
) -> dict[str, Need]:
    """Return the `distributions` that `roots` need, including extras and the roots themselves.

    Markers are evaluated for this Python, which is the environment's. Distributions that
    are not installed appear only in `needs`. `with_extras` follows all extras, including
    those that no requirement names. `ignoring` are pairs of a distribution and one of its
    requirements that does not count.
    """
    found: dict[str, Need] = {}
    reached: dict[str, set[str]] = {}
    waiting: deque[tuple[Requirement, str | None]] = deque(
        (Requirement(root), None) for root in roots
    )
    while waiting:
        wanted, parent = waiting.popleft()
        name = canonicalize_name(wanted.name)
        if name not in distributions:
            continue
        extras = [*wanted.extras, ""]
        if with_extras:
            extras += distributions[name].metadata.get_all("Provides-Extra") or ()
        fresh = {canonicalize_name(extra) for extra in extras} - reached.get(name, set())
        if fresh:
            reached.setdefault(name, set()).update(fresh)
            need = found.setdefault(name, Need(parent))
            for requirement in _needs(distributions[name], fresh):
                required = canonicalize_name(requirement.name)
                if (name, required) not in ignoring:
                    need.needs.add(required)
                    waiting.append((requirement, name))
    return found


def _needs(distribution: Distribution, extras: Iterable[str]) -> list[Requirement]:
    """Return the requirements of a distribution, with any of the extras."""
    needed = []
    for text in distribution.requires or ():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:  # old metadata, which uv understood when it installed
            continue
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
            needed.append(requirement)
    return needed
