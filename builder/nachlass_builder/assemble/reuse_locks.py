"""Reuses existing locks for `build --locked`, without resolving."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from platform import machine, python_version, system
from urllib.parse import SplitResult, unquote, urlsplit

from packaging.pylock import (
    Package,
    PackageSdist,
    PylockSelectError,
    PylockValidationError,
)
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Pep508
from packaging.utils import canonicalize_name

from nachlass_builder.bundle.layout import SERVING_LOCK, TRAINING_LOCK, bundle_at
from nachlass_builder.bundle.manifest import read_manifest
from nachlass_builder.bundle.staging import Staging
from nachlass_builder.foundation.credentials import public_url, redact
from nachlass_builder.foundation.digest import digest_of
from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.packages import pylock
from nachlass_builder.packages.installed import installed, needed
from nachlass_builder.packages.lock import OURS_FOR_KERNEL, Lock
from nachlass_builder.packages.service_wheel import service_requirements
from nachlass_builder.requirements.check import Checked
from nachlass_builder.requirements.requirement_hashes import Hashed

THIS_PYTHON = f"Python {python_version()} on {system()} {machine()}"


@dataclass(frozen=True)
class Locks:
    """The locks of both environments, the digest of their inputs, and how to update them."""

    training: Lock
    serving: Lock
    resolution: str
    remedy: str


@dataclass(frozen=True)
class _Contents:
    """A lock's file name, and its packages for this platform, by name."""

    name: str
    packages: Mapping[str, Package]

    @property
    def pins(self) -> list[str]:
        """The packages as requirements; a folder has no version until it is built."""
        return [
            f"{name}=={package.version}" if package.version else name
            for name, package in self.packages.items()
        ]

    def problem(self, requirement: Pep508) -> str | None:
        """Explain why the lock does not meet a requirement; None if it does."""
        if requirement.marker and not requirement.marker.evaluate():
            return None
        package = self.packages.get(canonicalize_name(requirement.name))
        if package is None:
            return f"{self.name} has no {requirement.name}"
        if requirement.url and not _points_to(requirement.url, package):
            return f"{self.name} has it from another location"
        version = package.version
        if version is None or requirement.specifier.contains(version, prereleases=True):
            return None
        return f"{self.name} has {package.name} {version}"


def reuse_locks(
    destination: Path,
    staging: Staging,
    checked: Checked,
    constraints: Sequence[str],
    hashes: Sequence[Hashed] = (),
) -> Locks:
    """Return the locks in the source, else those of the bundle at `destination`.

    Files of the source that they name are read from the current source.
    Raises RequirementsError if there are no locks, or if they are for another
    Python or platform or do not meet the requirements.
    """
    folder = _lock_folder(staging.source, checked)
    manifest = read_manifest(destination)
    if folder is None and manifest is None:
        bundle_at(destination)  # explains why a bundle is damaged
    remedy = "build without --locked to update the locks"
    if folder is not None:
        remedy += ", and replace the locks in the source with those of the bundle"
        before, shown = staging.source / folder, folder
    elif manifest is not None:
        before, shown = destination, PurePosixPath(destination)
    else:
        raise RequirementsError(
            f"there are no locks: no bundle at {destination}, and no {TRAINING_LOCK} "
            f"and {SERVING_LOCK} in the source",
            remedy="build once without --locked",
        )
    training, trained_with = _read(before, shown, TRAINING_LOCK, staging, remedy)
    serving, served_with = _read(before, shown, SERVING_LOCK, staging, remedy)
    resolution = digest_of(["carried by the source", training.digest, serving.digest])
    if folder is None and manifest is not None:
        resolution = manifest.locks.resolution
    _check(checked, trained_with, served_with, constraints=constraints, remedy=remedy)
    return Locks(training.restricted(hashes), serving.restricted(hashes), resolution, remedy)


def check_complete(locks: Locks, site_packages: Path, checked: Checked) -> None:
    """Reject a training environment that lacks dependencies of its distributions.

    The requirements of an extra are known only after installation.
    """
    distributions = installed(site_packages)
    for requirement in checked.requirements.merged:
        for name, need in needed(distributions, [requirement.text]).items():
            if missing := sorted(need.needs - distributions.keys()):
                raise RequirementsError(
                    f"{redact(requirement.text, ())} is not met: {name} needs "
                    f"{', '.join(missing)}, which {TRAINING_LOCK} does not have",
                    place=requirement.place,
                    remedy=locks.remedy,
                )


def _lock_folder(source: Path, checked: Checked) -> PurePosixPath | None:
    """Return the folder of the source that has locks: the notebook's, or the root."""
    notebook_folder = PurePosixPath(checked.chosen.notebooks[0].name).parent
    for folder in (notebook_folder, PurePosixPath()):
        if any((source / folder / name).is_file() for name in (TRAINING_LOCK, SERVING_LOCK)):
            return folder
    return None


def _read(
    folder: Path, shown: PurePosixPath, name: str, staging: Staging, remedy: str
) -> tuple[Lock, _Contents]:
    """Read a lock and its contents from a folder, which messages call `shown`."""
    place = Place(str(shown / name))
    try:
        text = (folder / name).read_text(encoding="utf-8")
        chosen = pylock.chosen(tomllib.loads(text))
    except FileNotFoundError:
        raise RequirementsError("the lock is missing", place=place, remedy=remedy) from None
    except (OSError, ValueError, PylockValidationError) as error:
        raise RequirementsError(
            f"the lock cannot be read: {error}", place=place, remedy=remedy
        ) from None
    except PylockSelectError as error:
        raise _other_platform(str(error), place, remedy) from None
    for package, file in chosen.values():
        if package.wheels and isinstance(file, PackageSdist):
            raise _other_platform(f"no wheel of {package.name} is compatible", place, remedy)
    # A bundle has the source in src/ beside the locks; here it is in the staging folder.
    lock = Lock.from_pylock(text, folder=staging.work, source=staging.source)
    return lock, _Contents(name, {key: package for key, (package, _) in chosen.items()})


def _other_platform(reason: str, place: Place, remedy: str) -> RequirementsError:
    """Return the error for a lock that cannot be installed here."""
    return RequirementsError(
        f"the lock is for another Python or platform; this is {THIS_PYTHON}",
        place=place,
        details=reason,
        remedy=f"use the Python that it was created with, or {remedy}",
    )


def _check(
    checked: Checked,
    training: _Contents,
    serving: _Contents,
    *,
    constraints: Sequence[str],
    remedy: str,
) -> None:
    """Reject locks that do not meet the requirements or do not match each other."""
    requirements, needed = checked.requirements, service_requirements()
    for_kernel = (*OURS_FOR_KERNEL, *requirements.for_kernel)
    locked_constraints = [
        line for line in constraints if (name := _constrained(line)) and name in training.packages
    ]
    checks: list[tuple[str, Place | None, Pep508, _Contents]] = [
        *((redact(one.text, ()), one.place, one.parsed, training) for one in requirements.merged),
        *((f"the constraint {line}", None, Pep508(line), training) for line in locked_constraints),
        *((f"{text}, for the kernel,", None, Pep508(text), training) for text in for_kernel),
        *((f"{text}, for the service,", None, Pep508(text), training) for text in needed),
        *((f"{text}, for the service,", None, Pep508(text), serving) for text in needed),
        *((f"{pin} of {serving.name}", None, Pep508(pin), training) for pin in serving.pins),
    ]
    failures = [
        (f"{subject} is not met: {problem}", place)
        for subject, place, requirement, lock in checks
        if (problem := lock.problem(requirement))
    ]
    if failures:
        raise _combined(failures, remedy)


def _points_to(url: str, package: Package) -> bool:
    """Return whether a package was locked from a link; files of the source match by name."""
    parts = urlsplit(url)
    vcs, archive = package.vcs, package.archive
    if vcs and vcs.url:
        path, _, revision = parts.path.partition("@")
        place = parts._replace(scheme=parts.scheme.partition("+")[2], path=path)
        return _address(place) == _address(urlsplit(vcs.url)) and revision in {
            vcs.requested_revision or "",
            vcs.commit_id,
        }
    if archive and archive.url:
        return _address(parts) == _address(urlsplit(archive.url))
    if archive and archive.path:
        return PurePosixPath(parts.path).name == PurePosixPath(archive.path).name
    return bool(vcs or package.directory)


def _address(parts: SplitResult) -> str:
    """Normalize a link for comparison."""
    return unquote(public_url(parts._replace(fragment="").geturl())).removesuffix(".git")


def _constrained(line: str) -> str | None:
    """Return the distribution that a line constrains; None for other lines."""
    try:
        return canonicalize_name(Pep508(line).name)
    except InvalidRequirement:
        return None


def _combined(failures: Sequence[tuple[str, Place | None]], remedy: str) -> RequirementsError:
    """Return the first of several failures as an error, with the others as details."""
    (message, place), *others = failures
    lines = [f"{where}: {text}" if where else text for text, where in others]
    return RequirementsError(message, place=place, details="\n".join(lines) or None, remedy=remedy)
