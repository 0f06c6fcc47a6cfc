"""Provides the system packages of a model: `apt.txt`, and libraries that compiled files load.

On a laptop, missing libraries are reported with the Debian packages that provide
them. In an image, the build's user cannot install packages, so the build unpacks
them; the serving image then has the packages of `image_packages` installed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from nachlass_builder.bundle.staging import remove
from nachlass_builder.foundation.digest import digest_of
from nachlass_builder.foundation.errors import RequirementsError
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.source.prepare import Prepared
from nachlass_builder.system.apt import has_apt
from nachlass_builder.system.apt_txt import AptPackage
from nachlass_builder.system.debian_archive import packages_with_files
from nachlass_builder.system.installed import (
    installed_packages,
    owners_of,
    system_state,
)
from nachlass_builder.system.policy_names import packages_named_after
from nachlass_builder.system.shared_libraries import libraries_of
from nachlass_builder.system.unpack import environment_with, unpack

PACKAGES_FILE = "packages.json"
"""The file that caches the package of each library, or None, as found in the archive."""


def provide(
    requested: Sequence[AptPackage], environment: Path, prepared: Prepared, progress: Progress
) -> Mapping[str, str]:
    """Provide the `requested` packages and an environment's libraries; raises RequirementsError.

    Return the variables that let programs find unpacked files; none if nothing was unpacked.
    """
    deadline, target = prepared.deadline, prepared.unpack_into
    missing = _missing(environment, prepared.settings.cache)
    if not requested and not missing:
        return {}
    installed = installed_packages(deadline) if has_apt() else {}
    missing_packages = [package for package in requested if not _is_met(package, installed)]
    known = _known(missing, prepared.settings.cache, deadline, progress)
    packages = {name: package for name, package in known.items() if package}
    needs = {name: _shown(files, environment) for name, files in missing.items()}
    if target is None:
        _report(missing_packages, needs, packages, progress)
        return {}
    to_unpack = [*missing_packages, *(AptPackage(name) for name in sorted(set(packages.values())))]
    root = _unpacked(to_unpack, target, deadline)
    variables = environment_with(root, {**prepared.environ, **prepared.settings.parameters})
    folders = [Path(folder) for folder in variables.get("LD_LIBRARY_PATH", "").split(":") if folder]
    still_missing = libraries_of(environment, folders).missing
    for name in sorted(known.keys() & still_missing.keys()):
        progress.warn(f"{needs[name]} needs {name}, which no package provides")
    for name, package in sorted(packages.items()):
        if name not in still_missing:
            progress.note(f"unpacked {package}: {needs[name]} needs {name}")
    if missing_packages:
        progress.note(f"unpacked from apt.txt: {', '.join(map(str, missing_packages))}")
    return variables


def image_packages(
    requested: Iterable[AptPackage], environment: Path, cache: Path, progress: Progress
) -> list[str]:
    """Return the packages that an image needs to serve an environment, as apt-get takes them.

    They are the packages of all libraries that it loads, installed here or not: another
    image may lack them.
    """
    requested_names = {package.name: str(package) for package in requested}
    if not has_apt():
        return sorted(requested_names.values())
    deadline, libraries = Deadline(), libraries_of(environment)
    found = owners_of(libraries.found, deadline)
    missing_packages = _known(libraries.missing, cache, deadline, progress).values()
    library_packages = {package: package for package in (*found, *missing_packages) if package}
    return sorted({**library_packages, **requested_names}.values())


def _is_met(package: AptPackage, installed: Mapping[str, str]) -> bool:
    """Return whether a package is installed in the wanted version."""
    return package.name in installed and package.version in (None, installed[package.name])


def _missing(environment: Path, cache: Path) -> Mapping[str, Sequence[Path]]:
    """Return the libraries that an environment lacks; a complete one is scanned only once."""
    marker = _folder(cache) / f"{environment.parent.name}.whole"
    if has_apt() and marker.is_file():
        return {}
    missing = libraries_of(environment).missing
    if not missing:
        marker.touch()
    return missing


def _folder(cache: Path) -> Path:
    """Return the cache folder for the current state of this system."""
    folder = cache / "system" / system_state()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _report(
    missing_packages: Sequence[AptPackage],
    needs: Mapping[str, str],
    packages: Mapping[str, str],
    progress: Progress,
) -> None:
    """Warn about missing libraries and packages."""
    for name, users in needs.items():
        remedy = f": apt-get install {packages[name]}" if name in packages else ""
        progress.warn(f"{users} needs {name}, which this machine lacks{remedy}")
    if missing_packages and has_apt():
        names = " ".join(map(str, missing_packages))
        progress.warn(f"apt.txt: this machine lacks packages: apt-get install {names}")
    elif missing_packages:
        names = ", ".join(map(str, missing_packages))
        progress.warn(f"apt.txt: this machine has no apt: install equivalents of {names}")


def _known(
    missing: Iterable[str], cache: Path, deadline: Deadline, progress: Progress
) -> dict[str, str | None]:
    """Return the package of each library, None if there is none; search the archive once.

    Libraries that could not be looked up are left out.
    """
    names = sorted(missing)
    if not names or not has_apt():
        return {}
    file = _folder(cache) / PACKAGES_FILE
    known: dict[str, str | None] = json.loads(file.read_text()) if file.is_file() else {}
    if unknown := [name for name in names if name not in known]:
        known |= _look_up(unknown, deadline, progress)
        unfinished = file.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps(known), encoding="utf-8")
        unfinished.replace(file)
    return {name: known[name] for name in names if name in known}


def _look_up(names: Sequence[str], deadline: Deadline, progress: Progress) -> dict[str, str | None]:
    """Return the package of each library, None if there is none; leave out failed lookups."""
    progress.note(f"looking for packages that provide {', '.join(names)}")
    found: dict[str, str] = {}
    with TemporaryDirectory(prefix="nachlass-apt-") as work:
        try:
            found = packages_named_after(names, Path(work, "names"), deadline=deadline)
            remaining = [name for name in names if name not in found]
            by_files = packages_with_files(remaining, Path(work, "files"), deadline=deadline)
        except RequirementsError as error:
            # Only a warning: perhaps nothing ever loads them.
            remaining = [name for name in names if name not in found]
            why = ": ".join([error.message, *(error.details or "").splitlines()[:1]])
            progress.warn(f"cannot look for packages that provide {', '.join(remaining)}: {why}")
            return dict(found)
    return {name: found.get(name) or by_files.get(name) for name in names}


def _unpacked(packages: Sequence[AptPackage], target: Path, deadline: Deadline) -> Path:
    """Return a folder below `target` with the files of packages; unpack them if necessary."""
    root = target / digest_of(sorted(map(str, packages)))[:16]
    if not packages or root.is_dir():
        return root
    if not has_apt():
        raise RequirementsError(
            f"{', '.join(map(str, packages))} cannot be installed: this image has no apt",
            place=packages[0].place,
            remedy="use a base image with Debian, or one that already has their files",
        )
    making = target / f"{root.name}.{uuid4().hex}"
    making.mkdir(parents=True)
    try:
        with TemporaryDirectory(prefix="nachlass-apt-") as work:
            unpack(packages, making, Path(work), deadline=deadline)
        if not root.is_dir():  # another build may have been faster
            making.rename(root)
    finally:
        remove(making)
    return root


def _shown(files: Sequence[Path], environment: Path) -> str:
    """Return the first file that needs a library, relative to site-packages."""
    path = files[0].relative_to(environment) if files[0].is_relative_to(environment) else files[0]
    more = f" (and {len(files) - 1} more)" if len(files) > 1 else ""
    return f"{path.as_posix().partition('site-packages/')[2] or path}{more}"
