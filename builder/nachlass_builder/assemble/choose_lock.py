"""Turns a source's requirements into one lock, or keeps the lock there is."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nachlass_builder.bundle.layout import TRAINING_LOCK
from nachlass_builder.bundle.seed import resolution_of
from nachlass_builder.bundle.staging import Staging
from nachlass_builder.foundation.digest import digest_of
from nachlass_builder.foundation.progress import Progress, counted
from nachlass_builder.packages.lock import OURS_FOR_KERNEL, Lock
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.packages.resolve import resolve
from nachlass_builder.packages.service_wheel import service_requirements
from nachlass_builder.packages.uv_lock import UvLock, read_uv_lock
from nachlass_builder.requirements.requirement_hashes import Hashed
from nachlass_builder.requirements.requirements import Requirements
from nachlass_builder.requirements.requirements_txt import read_constraint_hashes
from nachlass_builder.source.prepare import Prepared
from nachlass_builder.source.source import commit_time


@dataclass(frozen=True)
class LockChoice:
    """Everything that decides a lock."""

    prepared: Prepared
    staging: Staging
    requirements: Requirements
    progress: Progress

    def indexes(self) -> IndexSettings:
        """Where packages come from: pip's settings, and the source's own."""
        environ = {**self.prepared.environ, **self.prepared.settings.index}
        indexes = IndexSettings.read(environ, self.staging.source)
        indexes = indexes.with_options(self.requirements.options)
        if indexes.wheelhouse:
            self.progress.note("wheels/ is used as a wheelhouse")
        if indexes.unsupported:
            options = ", ".join(indexes.unsupported)
            self.progress.warn(f"settings of pip's that have no effect here: {options}")
        for link in indexes.missing_links:
            self.progress.warn(f"pip's find-links names {link}, which is not there")
        return indexes

    def lock(self, indexes: IndexSettings, before: Path | None) -> tuple[Lock, str]:
        """One lock for everything, and the digest of what decided it.

        The lock of `before`, a bundle or a seed, is kept when that digest is the same.
        """
        merged, as_of = self.requirements.merged, self._as_of()
        constraints, hashes = self.constraints(), self.hashes(indexes)
        required = self.requirements.require_hashes
        ours = (*OURS_FOR_KERNEL, *self.requirements.for_kernel, *service_requirements())
        texts = sorted(requirement.text for requirement in merged)
        house = sorted(path.name for path in (indexes.wheelhouse or Path()).glob("*.whl"))
        decided: list[object] = [texts, ours, constraints, as_of, indexes.places, house]
        if hashes or required:
            decided.append([bool(required), [one.demand for one in hashes]])
        resolution = digest_of([*decided, platform.python_version()])
        with self.progress.step(f"locking {counted(len(texts), 'requirement')}"):
            for requirement in merged:
                self.progress.note(str(requirement))
            if before and resolution_of(before) == resolution:
                previous = Lock.read(before / TRAINING_LOCK)
                changed = previous.changed_in(self.staging.source)
                if not changed:
                    self.progress.note("unchanged: the previous bundle's lock is kept")
                    return previous.of_source(self.staging.source), resolution
                self.progress.note(f"locked again, because the source has another {changed[0]}")
            lock = resolve(
                merged,
                ours,
                indexes=indexes,
                constraints=constraints,
                hashes=hashes,
                require_hashes=required,
                as_of=as_of,
                work=self.staging.work,
                deadline=self.prepared.deadline,
            )
            self._tell(lock)
        return lock, resolution

    def constraints(self) -> list[str]:
        """The lines of `-c` files, and the pins of a uv.lock."""
        return [*self.requirements.constraints, *self._uv_lock.pins]

    def hashes(self, indexes: IndexSettings) -> list[Hashed]:
        """What the source, its uv.lock and pip's own constraints demand of locked files."""
        files = [Path(name) for name in indexes.constraints if Path(name).is_file()]
        given = [hashed for file in files for hashed in read_constraint_hashes(file)]
        return [*self.requirements.hashes, *self._uv_lock.hashes, *given]

    @cached_property
    def _uv_lock(self) -> UvLock:
        """What the source's uv.lock says, except of what a higher source pins."""
        requirements = self.requirements
        if requirements.uv_lock is None:
            return UvLock()
        overruled = {
            requirement.name
            for requirement in requirements.merged
            if not requirement.place.file.endswith("pyproject.toml")
            and requirement.parsed.specifier
        }
        project = self.staging.source / requirements.uv_lock
        return read_uv_lock(project, overruled, self.prepared.deadline)

    def _as_of(self) -> str | None:
        """The date that unpinned requirements are resolved as of."""
        settings, source = self.prepared.settings, self.prepared.source
        if settings.resolve_as_of != "commit":
            return settings.resolve_as_of
        notebook = source.notebook or settings.notebook or "."
        return commit_time(source, notebook, self.prepared.deadline)

    def _tell(self, lock: Lock) -> None:
        """Say what was found out while resolving."""
        for note in lock.notes:
            self.progress.note(note)
        if lock.only_here:
            names = ", ".join(lock.only_here)
            self.progress.note(f"locked to files that only this machine has: {names}")
        self.progress.note(f"{len(lock.packages)} packages in the lock")
