"""Reads what an environment holds, and what needs what. Builder environment."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name


def installed(site_packages: Path) -> dict[str, Distribution]:
    """The distributions of an environment, by normalised name."""
    found: dict[str, Distribution] = {}
    for distribution in distributions(path=[str(site_packages)]):
        name = distribution.metadata["Name"]
        if name:
            found[canonicalize_name(name)] = distribution
    return found


def closure(site_packages: Path, roots: Iterable[str]) -> frozenset[str]:
    """The names of all that `roots` (requirements, extras included) need, they themselves too.

    What is not installed is left out.
    """
    return frozenset(needs(site_packages, roots))


def needs(site_packages: Path, roots: Iterable[str]) -> dict[str, frozenset[str]]:
    """By name, for all that `roots` need and is installed: the names that each needs itself.

    Markers are evaluated for this Python, which is the environment's.
    """
    there = installed(site_packages)
    reached: dict[str, set[str]] = {}
    found: dict[str, frozenset[str]] = {}
    waiting = [Requirement(root) for root in roots]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        extras = {canonicalize_name(extra) for extra in wanted.extras} | {""}
        fresh = extras - reached.get(name, set())
        if name in there and fresh:
            reached.setdefault(name, set()).update(fresh)
            needed = _needs(there[name], fresh)
            names = {canonicalize_name(requirement.name) for requirement in needed}
            found[name] = found.get(name, frozenset()) | names
            waiting += needed
    return found


def _needs(distribution: Distribution, extras: Iterable[str]) -> list[Requirement]:
    """What a distribution requires, with any of the extras."""
    needed = []
    for text in distribution.requires or ():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:  # old metadata; uv has already installed what it meant
            continue
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
            needed.append(requirement)
    return needed
