"""Locks a source's requirements, or keeps the existing lock."""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from nachlass_builder.bundle.layout import TRAINING_LOCK
from nachlass_builder.bundle.seed import resolution_of
from nachlass_builder.foundation.digest import digest_of
from nachlass_builder.foundation.errors import NachlassError
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.foundation.progress import Progress, counted
from nachlass_builder.packages.lock import OURS_FOR_KERNEL, Lock
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.packages.resolve import resolve
from nachlass_builder.packages.resolver import Resolver
from nachlass_builder.packages.service_wheel import service_requirements
from nachlass_builder.packages.uv_lock import UvLock, read_uv_lock
from nachlass_builder.requirements.requirement_hashes import Hashed
from nachlass_builder.requirements.requirements import Requirements
from nachlass_builder.requirements.requirements_txt import read_constraint_hashes
from nachlass_builder.source.prepare import Prepared
from nachlass_builder.source.source import commit_time

OLD = timedelta(days=180)
"""Notebooks older than this may fail because of newer package versions."""


@dataclass(frozen=True)
class LockChoice:
    """The inputs that determine a lock.

    `root` is the source or the copy that the requirements were read from; `work` is a
    working folder.
    """

    prepared: Prepared
    root: Path
    work: Path
    requirements: Requirements
    progress: Progress

    def indexes(self) -> IndexSettings:
        """Return the package indexes of pip's settings and of the source."""
        environ = {**self.prepared.environ, **self.prepared.settings.index}
        indexes = IndexSettings.read(environ, self.root)
        indexes = indexes.with_options(self.requirements.options)
        if indexes.wheelhouse:
            self.progress.note("using wheels/ as a wheelhouse")
        if indexes.unsupported:
            options = ", ".join(indexes.unsupported)
            self.progress.warn(f"pip settings without effect here: {options}")
        for link in indexes.missing_links:
            self.progress.warn(f"pip's find-links names {link}, which does not exist")
        return indexes

    def lock(self, indexes: IndexSettings, before: Path | None) -> tuple[Lock, str]:
        """Return one lock for everything, and the digest of its inputs.

        Keep the lock of `before`, a bundle or a seed, if its digest is the same.
        """
        merged, as_of = self.requirements.merged, self._as_of()
        constraints, hashes = self.constraints(), self.hashes(indexes)
        required = self.requirements.require_hashes
        ours = (*OURS_FOR_KERNEL, *self.requirements.for_kernel, *service_requirements())
        texts = sorted(requirement.text for requirement in merged)
        wheelhouse = sorted(path.name for path in (indexes.wheelhouse or Path()).glob("*.whl"))
        decided: list[object] = [texts, ours, constraints, as_of, indexes.places, wheelhouse]
        if hashes or required:
            decided.append([bool(required), [one.demand for one in hashes]])
        resolution = digest_of([*decided, platform.python_version()])
        with self.progress.step(f"locking {counted(len(texts), 'requirement')}"):
            for requirement in merged:
                self.progress.note(str(requirement))
            if before and resolution_of(before) == resolution:
                previous = Lock.read(before / TRAINING_LOCK)
                changed = previous.changed_in(self.root)
                if not changed:
                    self.progress.note("unchanged: the previous bundle's lock is kept")
                    return previous.of_source(self.root), resolution
                self.progress.note(f"locking again: {changed[0]} has changed in the source")
            lock = resolve(
                merged,
                ours,
                indexes=indexes,
                constraints=constraints,
                hashes=hashes,
                require_hashes=required,
                as_of=as_of,
                work=self.work,
                deadline=self.prepared.deadline,
            )
            self._report(lock)
        return lock, resolution

    def resolver(self, indexes: IndexSettings, limit_s: float) -> Resolver | None:
        """Return a resolver for other requirements under the same conditions, with a time limit.

        It builds nothing, so dependencies that a package computes stay unknown. None if the
        source's uv settings require packages to be built.
        """
        for name in ("uv.toml", "pyproject.toml"):
            path = self.root / name
            if path.is_file() and "no-binary" in path.read_text(encoding="utf-8", errors="replace"):
                return None
        return Resolver(
            replace(indexes, no_binary=()),
            self.work,
            Deadline.after(limit_s),
            constraints=tuple(self.constraints()),
            only_binary=frozenset({":all:"}),
            as_of=self._as_of(),
        )

    def constraints(self) -> list[str]:
        """Return the lines of `-c` files and the pins of a uv.lock."""
        return [*self.requirements.constraints, *self._uv_lock.pins]

    def hashes(self, indexes: IndexSettings) -> list[Hashed]:
        """Return the hashes required by the source, its uv.lock and pip's constraints."""
        files = [Path(name) for name in indexes.constraints if Path(name).is_file()]
        of_constraints = [hashed for file in files for hashed in read_constraint_hashes(file)]
        return [*self.requirements.hashes, *self._uv_lock.hashes, *of_constraints]

    @cached_property
    def _uv_lock(self) -> UvLock:
        """The source's uv.lock, without the packages that a stronger source pins."""
        requirements = self.requirements
        if requirements.uv_lock is None:
            return UvLock()
        overridden = {
            requirement.name
            for requirement in requirements.merged
            if not requirement.place.file.endswith("pyproject.toml")
            and requirement.parsed.specifier
        }
        project = self.root / requirements.uv_lock
        return read_uv_lock(project, overridden, self.prepared.deadline)

    def _as_of(self) -> str | None:
        """Return the date as of which unpinned requirements are resolved."""
        settings = self.prepared.settings
        if settings.resolve_as_of != "commit":
            return settings.resolve_as_of
        return commit_time(self.prepared.source, self._notebook, self.prepared.deadline)

    @property
    def _notebook(self) -> str:
        """The notebook whose last commit counts, or the whole source."""
        return self.prepared.source.notebook or self.prepared.settings.notebook or "."

    def suggest_older_versions(self) -> str | None:
        """Suggest older versions if the code is much older than its packages, else None."""
        settings, source = self.prepared.settings, self.prepared.source
        constrained = {line.partition("==")[0].strip() for line in self.constraints()}
        free = [
            one.name
            for one in self.requirements.merged
            if not (one.parsed.specifier or one.parsed.url or one.name in constrained)
        ]
        if settings.resolve_as_of or not free:
            return None
        try:
            committed = commit_time(source, self._notebook, self.prepared.deadline)
        except NachlassError:
            return None
        written = datetime.fromisoformat(committed)
        if datetime.now(UTC) - written < OLD:
            return None
        version = ".".join(platform.python_version_tuple()[:2])
        return (
            f"the notebook's last commit is from {written:%Y-%m-%d}, but {', '.join(free)} "
            f"{'is' if len(free) == 1 else 'are'} from today: S2I_RESOLVE_AS_OF=commit selects "
            f"versions of that date, if they exist for Python {version}"
        )

    def _report(self, lock: Lock) -> None:
        """Print what resolving found."""
        for note in lock.notes:
            self.progress.note(note)
        if lock.only_here:
            names = ", ".join(lock.only_here)
            self.progress.note(f"locked to files that exist only on this machine: {names}")
        self.progress.note(f"{len(lock.packages)} packages in the lock")
