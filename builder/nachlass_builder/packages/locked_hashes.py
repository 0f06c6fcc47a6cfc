"""Restricts a lock to the files that have a required hash.

uv verifies hashes when it installs from a requirements file, not when it locks, and
environments are installed from a lock. Hashes apply only to the locked version that their
line allows. As in uv, requirements without hashes are allowed, unless a file says
`--require-hashes`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import tomli_w
from packaging.pylock import PackageSdist, PylockSelectError

from nachlass_builder.foundation.credentials import redact
from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.packages import pylock
from nachlass_builder.requirements.requirement import Requirement
from nachlass_builder.requirements.requirement_hashes import Hashed


def restrict(text: str, demands: Sequence[Hashed]) -> str:
    """Restrict a lock to the files that have the required hashes; raise RequirementsError."""
    document = tomllib.loads(text)
    concerned = [
        (package, demand)
        for package in pylock.packages(document)
        for demand in demands
        if _concerns(demand, package)
    ]
    for package, demand in concerned:
        _restrict_package(document, package, demand)
    return tomli_w.dumps(document) if concerned else text


def check_all_hashed(
    place: Place,
    requirements: Sequence[Requirement],
    locked: Collection[Mapping[str, Any]],
    demands: Sequence[Hashed],
) -> None:
    """Enforce `--require-hashes`: every requirement is pinned, every locked package hashed."""
    reason = f"but --require-hashes ({place}) requires it"
    for requirement in requirements:
        if not (requirement.pin or requirement.parsed.url):
            raise RequirementsError(
                f"{requirement.text} is not pinned to a version, {reason}",
                place=requirement.place,
                remedy=f"write {requirement.parsed.name}==VERSION, with its --hash",
            )
    places = {requirement.name: requirement.place for requirement in requirements}
    for package in locked:
        if any(_concerns(demand, package) for demand in demands):
            continue
        name = pylock.name_of(dict(package))
        raise RequirementsError(
            f"{name} {package.get('version', '')}".rstrip() + f" has no hash, {reason}",
            place=places.get(name, place),
            remedy="list all dependencies with hashes, as `uv pip compile --generate-hashes` does",
        )


def _concerns(demand: Hashed, package: Mapping[str, Any]) -> bool:
    """Return whether the requirement refers to a locked package."""
    parsed, version = demand.requirement.parsed, package.get("version")
    if demand.requirement.name != pylock.name_of(dict(package)):
        return False
    if parsed.marker and not parsed.marker.evaluate():
        return False
    if parsed.url:
        return not ("wheels" in package or "sdist" in package)
    return version is None or parsed.specifier.contains(str(version), prereleases=True)


def _restrict_package(document: Mapping[str, Any], package: dict[str, Any], demand: Hashed) -> None:
    """Drop the files of one package that have none of the required hashes."""
    files = _files(package)
    if not files:
        raise RequirementsError(
            f"{redact(demand.requirement.text, ())} is a folder or a repository, "
            "which has no hash to check",
            place=demand.requirement.place,
            remedy="remove the hash and pin a commit instead: NAME @ git+https://...@COMMIT",
        )
    matching = {id(file) for file in files if _digests(file) & {*demand.digests}}
    if "wheels" in package:
        package["wheels"] = [file for file in package["wheels"] if id(file) in matching]
    for key in [key for key in ("wheels", "sdist", "archive") if key in package]:
        if not package[key] or (key != "wheels" and id(package[key]) not in matching):
            del package[key]
    chosen = _chosen({**document, "packages": [package]}) if matching else None
    if chosen is None:
        raise _rejected(package, files, demand)
    if isinstance(chosen, PackageSdist):
        package.pop(
            "wheels", None
        )  # none fits this Python, and without them the package counts as built from source


def _rejected(
    package: Mapping[str, Any], files: Sequence[Mapping[str, Any]], demand: Hashed
) -> RequirementsError:
    """Return the error for a package without a file for this Python that has a required hash."""
    name = f"{package['name']} {package.get('version', '')}".rstrip()
    known = [f"{_name(file)}  {digest}" for file in files for digest in sorted(_digests(file))]
    return RequirementsError(
        f"no file of {name} for this Python has the required hash",
        place=demand.requirement.place,
        details="\n".join(known) or None,
        remedy="find out where the file comes from (the index, wheels/); if it is the right one, "
        "add its hash, or regenerate all hashes with `uv pip compile --generate-hashes`",
    )


def _files(package: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the tables of a package's files."""
    singles = [package[key] for key in ("sdist", "archive") if key in package]
    return [*package.get("wheels", ()), *singles]


def _digests(file: Mapping[str, Any]) -> set[str]:
    """Return a file's hashes in the form of `--hash`."""
    return {f"{name}:{digest}".lower() for name, digest in file.get("hashes", {}).items()}


def _chosen(document: dict[str, Any]) -> pylock.File | None:
    """Return the file that a lock of one package installs here; None if none fits."""
    try:
        return next((file for _package, file in pylock.chosen(document).values()), None)
    except PylockSelectError:
        return None


def _name(file: Mapping[str, Any]) -> str:
    """Return a file's name without its URL, which may contain credentials."""
    path = str(file.get("path") or urlsplit(file.get("url", "")).path)
    return str(file.get("name") or unquote(PurePosixPath(path).name))
