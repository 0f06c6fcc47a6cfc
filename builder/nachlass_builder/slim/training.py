"""The training environment's distributions, and the reasons to keep some for serving."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from nachlass_builder.packages.installed import installed, needed
from nachlass_builder.packages.provided import Provided
from nachlass_builder.packages.service_wheel import PACKAGE, service_requirements
from nachlass_builder.slim.training_only import TRAINING_ONLY

SERVICE = "the service"
IMPORTED = "imported by the model"
STRING = "named in a string"
ARROW = "the service's Arrow and Parquet"
VARIABLE = "S2I_SERVING_REQUIREMENTS"
NOTEBOOK = "serving_requirements"
SCORED = "imported while scoring samples"
LOADED = "imported while loading the model"
OPTIONAL = "optional dependency of a kept package"
EARLIER_BUILD = "needed by an earlier build with this lock"
NEEDED = "needed by "
"""The prefix of a dependency's reason."""
REASON_ORDER = (
    IMPORTED,
    STRING,
    NOTEBOOK,
    VARIABLE,
    ARROW,
    SCORED,
    LOADED,
    NEEDED,
    OPTIONAL,
    EARLIER_BUILD,
    SERVICE,
)
"""The order in which reasons are reported."""


@dataclass(frozen=True)
class ServingRequest:
    """The user's requirements for the serving environment.

    `requirements` are those of the source; `named` are distributions that are always kept, each
    with the setting that names it.
    """

    requirements: tuple[str, ...]
    named: Mapping[str, str]

    @property
    def roots(self) -> tuple[str, ...]:
        """The requirements of everything in the environment: the user's and the service's."""
        return (*self.requirements, *self.named, *service_requirements())


@dataclass(frozen=True)
class Subset:
    """The distributions to serve with, each with its reason; `before` if remembered."""

    why: Mapping[str, str]
    before: bool = False


class Training:
    """The training environment's distributions, their modules and their dependencies."""

    def __init__(self, site_packages: Path, request: ServingRequest) -> None:
        distributions = installed(site_packages)
        distributions.pop(
            canonicalize_name(PACKAGE), None
        )  # it is in every environment, but in no lock
        self._there = distributions
        self._request = request
        self._extras: dict[str, set[str]] = {}
        for requirement in map(Requirement, request.requirements):
            name = canonicalize_name(requirement.name)
            self._extras.setdefault(name, set()).update(requirement.extras)

    @cached_property
    def provided(self) -> Provided:
        """The modules that each distribution provides."""
        return Provided(self._there)

    def owners_of(self, module: str) -> set[str]:
        """Return the distributions that have a module."""
        return self.provided.owners(module)

    @cached_property
    def everything(self) -> frozenset[str]:
        """All distributions that the user's and the service's requirements need."""
        return frozenset(needed(self._there, self._request.roots))

    def closure(self, why: Mapping[str, str], *, with_extras: bool = False) -> dict[str, str]:
        """Return the service's distributions, those of `why`, and their dependencies, with reasons.

        Dependencies that are only for training are added only `with_extras`.
        """
        closure = dict.fromkeys(needed(self._there, service_requirements()), SERVICE)
        for name, reason in why.items():
            if name in self.everything:
                closure.setdefault(name, reason)
        roots = self._with_extras(closure)
        for name, need in needed(self._there, roots, ignoring=TRAINING_ONLY).items():
            closure.setdefault(name, f"{NEEDED}{need.by}")
        if with_extras:
            optional = needed(self._there, self._with_extras(closure), with_extras=True)
            for name in self.everything & optional.keys():
                closure.setdefault(name, OPTIONAL)
            return self.closure(closure)
        return closure

    def training_only(self, kept: Collection[str]) -> dict[str, str]:
        """Return left-out dependencies of kept distributions, each with its dependent."""
        all_needed = needed(self._there, self._with_extras(kept))
        return {name: f"{need.by}" for name, need in all_needed.items() if name not in kept}

    def without(self, kept: Collection[str]) -> dict[str, list[str]]:
        """Return the other distributions, each with the modules that only they provide."""
        modules = self.provided.modules
        kept_modules = {module for name in kept for module in modules[name]}
        return {
            name: [module for module in modules[name] if module not in kept_modules]
            for name in sorted(modules.keys() - kept)
        }

    def size(self, names: Collection[str], *, with_tests: bool = True) -> int:
        """Return the size of distributions in bytes, without bytecode."""
        tests = 0 if with_tests else sum(self.provided.tests[name] for name in names)
        return sum(self.provided.sizes[name] for name in names) - tests

    def _with_extras(self, names: Iterable[str]) -> list[str]:
        """Return distributions as requirements, with the extras that the user requires."""
        return [f"{name}[{','.join(sorted(self._extras.get(name, ())))}]" for name in names]


def by_reason(why: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the distributions by reason: the model's imports first, the service last."""
    grouped: dict[str, list[str]] = {}
    for name, reason in sorted(why.items()):
        grouped.setdefault(reason, []).append(name)
    for reason in sorted(grouped, key=_place):
        yield reason, grouped[reason]


def _place(reason: str) -> int:
    """Return the position of a reason in the order."""
    return REASON_ORDER.index(reason if reason in REASON_ORDER else NEEDED)
