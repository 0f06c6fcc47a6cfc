"""What the training environment has, and what of it may be served with, and why."""

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
STRING = "named by a string"
ARROW = "the service's Arrow and Parquet"
VARIABLE = "S2I_SERVING_REQUIREMENTS"
NOTEBOOK = "serving_requirements"
SCORED = "asked for while samples were scored"
LOADED = "imported while the model was loaded"
OPTIONAL = "optional for what stays"
BEFORE = "needed by an earlier build with this lock"
NEEDED = "needed by "
"""How the reason of a dependency begins."""
IN_ORDER = (
    IMPORTED,
    STRING,
    NOTEBOOK,
    VARIABLE,
    ARROW,
    SCORED,
    LOADED,
    NEEDED,
    OPTIONAL,
    BEFORE,
    SERVICE,
)
"""The order in which the reasons are told."""


@dataclass(frozen=True)
class ServingRequest:
    """What the user asks of the serving environment.

    `requirements` are those of the source; `named` are distributions to keep in
    any case, each with where it was said.
    """

    requirements: tuple[str, ...]
    named: Mapping[str, str]

    @property
    def roots(self) -> tuple[str, ...]:
        """What may be in the environment, as requirements: the user's and the service's."""
        return (*self.requirements, *self.named, *service_requirements())


@dataclass(frozen=True)
class Subset:
    """The distributions to serve with, each with the reason why; `before` when remembered."""

    why: Mapping[str, str]
    before: bool = False


class Training:
    """The training environment's distributions: what provides what, and what needs what."""

    def __init__(self, site_packages: Path, request: ServingRequest) -> None:
        there = installed(site_packages)
        there.pop(canonicalize_name(PACKAGE), None)  # it is in no lock, and everywhere
        self._there = there
        self._request = request
        self._extras: dict[str, set[str]] = {}
        for requirement in map(Requirement, request.requirements):
            name = canonicalize_name(requirement.name)
            self._extras.setdefault(name, set()).update(requirement.extras)

    @cached_property
    def provided(self) -> Provided:
        """Which distribution provides what."""
        return Provided(self._there)

    def owners_of(self, module: str) -> set[str]:
        """The distributions that have a module."""
        return self.provided.owners(module)

    @cached_property
    def everything(self) -> frozenset[str]:
        """All that could be asked to serve: the user's requirements and the service's."""
        return frozenset(needed(self._there, self._request.roots))

    def closure(self, why: Mapping[str, str], *, with_extras: bool = False) -> dict[str, str]:
        """The service's distributions, those of `why`, and what they need; each with its reason.

        What they need for training alone is added only `with_extras`.
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
        """What is left out although something kept requires it, each with what requires it."""
        whole = needed(self._there, self._with_extras(kept))
        return {name: f"{need.by}" for name, need in whole.items() if name not in kept}

    def without(self, kept: Collection[str]) -> dict[str, list[str]]:
        """The other distributions, each with the modules that only they provide."""
        modules = self.provided.modules
        theirs = {module for name in kept for module in modules[name]}
        return {
            name: [module for module in modules[name] if module not in theirs]
            for name in sorted(modules.keys() - kept)
        }

    def size(self, names: Collection[str], *, with_tests: bool = True) -> int:
        """How many bytes distributions have, bytecode not counted."""
        tests = 0 if with_tests else sum(self.provided.tests[name] for name in names)
        return sum(self.provided.sizes[name] for name in names) - tests

    def _with_extras(self, names: Iterable[str]) -> list[str]:
        """Distributions as requirements, with the extras that the user asked for."""
        return [f"{name}[{','.join(sorted(self._extras.get(name, ())))}]" for name in names]


def by_reason(why: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """The distributions of each reason: what the model imports first, the service last."""
    grouped: dict[str, list[str]] = {}
    for name, reason in sorted(why.items()):
        grouped.setdefault(reason, []).append(name)
    for reason in sorted(grouped, key=_place):
        yield reason, grouped[reason]


def _place(reason: str) -> int:
    """The place of a reason in the order."""
    return IN_ORDER.index(reason if reason in IN_ORDER else NEEDED)
