"""Suggests the requirements that a source's imports lack, in compatible versions."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from nachlass_builder.assemble.choose_lock import LockChoice
from nachlass_builder.foundation.errors import NachlassError, Place
from nachlass_builder.packages import pylock
from nachlass_builder.packages.lock import OURS_FOR_KERNEL
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.packages.resolver import Resolver
from nachlass_builder.packages.service_wheel import service_requirements
from nachlass_builder.requirements.check import Checked
from nachlass_builder.requirements.imports import Import
from nachlass_builder.requirements.missing_imports import (
    MissingImport,
    describe_imports,
    missing_imports,
    to_paste,
)

LOOKUP_LIMIT_S = 20.0
"""The timeout for the package index, in seconds: this is only advice."""
NO_VERSIONS = (
    "without versions, because the package index is unavailable or no versions are compatible:"
)


@dataclass(frozen=True)
class MissingRequirements:
    """The distributions that a source imports but does not require."""

    checked: Checked
    choice: LockChoice
    indexes: IndexSettings

    def warning(self) -> str | None:
        """Return a warning before anything is installed; None if nothing is missing.

        A requirement may depend on an imported distribution: the package index knows that.
        """
        requirements = self.checked.requirements
        declared = {requirement.name for requirement in requirements.merged}
        if requirements.computed or not missing_imports(self.checked.imports, declared):
            return None
        resolver = self.choice.resolver(self.indexes, LOOKUP_LIMIT_S)
        dependencies = self._locked(resolver, [*self._declared, *service_requirements()])
        missing = missing_imports(self.checked.imports, declared | (dependencies or {}).keys())
        if not missing:
            return None
        # The dependencies of links are unknown without fetching them.
        is_certain = dependencies is not None and len(self._declared) == len(requirements.merged)
        verb = "provides" if is_certain else "names, and possibly none provides"
        # An index that does not respond is not tried again.
        completed = self._completed(resolver if dependencies is not None else None, missing)
        return "\n".join(
            [f"imports that no requirement {verb}: {describe_imports(missing)}", *completed]
        )

    def advice(self, written: str, place: Place, installed: Collection[str]) -> str | None:
        """Suggest what to add after the import of `written` at `place` failed.

        `installed` are the installed distributions.
        """
        imports = [*self.checked.imports, Import(written, place)]
        resolver = self.choice.resolver(self.indexes, LOOKUP_LIMIT_S)
        missing = missing_imports(imports, {*installed})
        return "\n".join(self._completed(resolver, missing)) or None

    def _completed(
        self, resolver: Resolver | None, missing: Sequence[MissingImport]
    ) -> Iterator[str]:
        """Yield the requirements to paste, and the imports of unknown distributions."""
        known = [one.distributions[0] for one in missing if one.distributions]
        unknown = [one for one in missing if not one.distributions]
        if known:
            ours = (*OURS_FOR_KERNEL, *service_requirements())
            locked = self._locked(resolver, [*self._declared, *known, *ours])
            if locked is None:
                yield NO_VERSIONS
            pins = {name: (locked or {}).get(name) for name in known}
            yield to_paste(self.checked.chosen.notebooks, self.checked.requirements, pins)
        if unknown:
            noun = (
                "distribution that provides" if len(unknown) == 1 else "distributions that provide"
            )
            yield f"add the {noun} {describe_imports(unknown)} to `requirements`"

    @property
    def _declared(self) -> list[str]:
        """The source's requirements, without links, which would have to be fetched."""
        merged = self.checked.requirements.merged
        return [requirement.text for requirement in merged if requirement.parsed.url is None]

    def _locked(
        self, resolver: Resolver | None, requirements: Sequence[str]
    ) -> dict[str, str] | None:
        """Resolve requirements to versions; None if they conflict or the index fails."""
        if resolver is None:
            return None
        try:
            completed = resolver.lock(requirements)
            packages = pylock.packages(tomllib.loads(completed.stdout))
        except (NachlassError, tomllib.TOMLDecodeError):
            return None
        if completed.status:
            return None
        return {pylock.name_of(package): package.get("version", "") for package in packages}
