"""A resolver with an index in memory, without uv."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from packaging.requirements import Requirement

from nachlass_builder.foundation.process import Completed, Deadline
from nachlass_builder.packages.explain_resolution import HERE
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.packages.resolver import ANY_PLATFORM, PYTHONS, Resolver
from nachlass_builder.packages.uv_program import UNSOLVABLE

THIS_PYTHON = HERE.removeprefix("Python ")


@dataclass(frozen=True)
class Release:
    """A version: the Pythons with a wheel for this system, and other distributions.

    `source` are the Pythons that its source supports, `elsewhere` says that other systems have
    wheels, `published` is its date.
    """

    wheels: tuple[str, ...] = PYTHONS
    source: tuple[str, ...] = ()
    elsewhere: bool = False
    published: str = "2020-01-01"


@dataclass(frozen=True)
class KnownIndex(Resolver):
    """Resolves like uv for `releases`, by name and version (oldest first).

    `apart` are names that conflict, `limited` those that the constraints exclude, `denied` the
    messages for names without access, `broken` the broken links.
    """

    indexes: IndexSettings = field(default_factory=IndexSettings)
    work: Path = Path()
    deadline: Deadline = field(default_factory=Deadline)
    releases: Mapping[str, Mapping[str, Release]] = field(default_factory=dict)
    apart: tuple[frozenset[str], ...] = ()
    limited: frozenset[str] = frozenset()
    denied: Mapping[str, str] = field(default_factory=dict)
    broken: Mapping[str, Completed] = field(default_factory=dict)

    def version_of(self, requirement, *options):
        wanted = Requirement(requirement)
        fitting = [
            version
            for version, release in self.releases.get(wanted.name, {}).items()
            if wanted.specifier.contains(version, prereleases=True)
            and self._fits(wanted.name, release, options)
        ]
        return fitting[0 if "lowest-direct" in options else -1] if fitting else None

    def _fits(self, name, release, options):
        if self.as_of and release.published > self.as_of:
            return False
        wheels, source = release.wheels, release.source
        if "--only-binary" in options or name in self.only_binary:
            source = ()
        if "--no-binary" in options:
            wheels = ()
        if set(ANY_PLATFORM) <= set(options):
            return bool(wheels or source or release.elsewhere)
        values = dict(pairwise(options))
        return values.get("--python-version", THIS_PYTHON) in (*wheels, *source)

    def can_resolve(self, requirements):
        names = {Requirement(text).name for text in requirements}
        constrained = self.constraints or self.indexes.constraints
        return not (
            any(together <= names for together in self.apart)
            or (constrained and self.limited & names)
        )

    def lock(self, requirements):
        if not self.can_resolve(requirements):
            return Completed(UNSOLVABLE, "", f"uv cannot lock {', '.join(requirements)}")
        return Completed(0, "", "")

    def fetch(self, requirement):
        return self.broken.get(requirement, Completed(0, "", ""))

    def refusal_of(self, name):
        return self.denied.get(name)
