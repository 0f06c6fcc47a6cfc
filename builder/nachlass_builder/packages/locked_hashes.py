"""Keeps of a lock only the files that have a demanded hash.

uv verifies hashes when it installs from a requirements file, not when it locks,
and it is a lock that we install from. A line that allows another version than
the locked one demands nothing of it; as for uv, a requirement without hashes is
not refused, unless a file says `--require-hashes`.
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
    """A lock with only those files that have the demanded hashes; raises RequirementsError."""
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
    """Do as `--require-hashes` says: each requirement is pinned, and all that is locked hashed."""
    asks = f"and --require-hashes ({place}) wants it"
    for requirement in requirements:
        if not (requirement.pin or requirement.parsed.url):
            raise RequirementsError(
                f"{requirement.text} is not pinned to a version, {asks}",
                place=requirement.place,
                remedy=f"write {requirement.parsed.name}==VERSION, with its --hash",
            )
    places = {requirement.name: requirement.place for requirement in requirements}
    for package in locked:
        if any(_concerns(demand, package) for demand in demands):
            continue
        name = pylock.name_of(dict(package))
        raise RequirementsError(
            f"{name} {package.get('version', '')}".rstrip() + f" has no hash, {asks}",
            place=places.get(name, place),
            remedy="list all that the requirements need with hashes, "
            "as `uv pip compile --generate-hashes` does",
        )


def _concerns(demand: Hashed, package: Mapping[str, Any]) -> bool:
    """Whether a locked package is what the requirement means."""
    parsed, version = demand.requirement.parsed, package.get("version")
    if demand.requirement.name != pylock.name_of(dict(package)):
        return False
    if parsed.marker and not parsed.marker.evaluate():
        return False
    if parsed.url:
        return not ("wheels" in package or "sdist" in package)
    return version is None or parsed.specifier.contains(str(version), prereleases=True)


def _restrict_package(document: Mapping[str, Any], package: dict[str, Any], demand: Hashed) -> None:
    """Drop the files of one package that have none of the demanded hashes."""
    files = _files(package)
    if not files:
        raise RequirementsError(
            f"{redact(demand.requirement.text, ())} is a folder or a repository, "
            "for which no hash can be checked",
            place=demand.requirement.place,
            remedy="take the hash out, and name a commit instead: NAME @ git+https://...@COMMIT",
        )
    wanted = {id(file) for file in files if _digests(file) & {*demand.digests}}
    if "wheels" in package:
        package["wheels"] = [file for file in package["wheels"] if id(file) in wanted]
    for key in [key for key in ("wheels", "sdist", "archive") if key in package]:
        if not package[key] or (key != "wheels" and id(package[key]) not in wanted):
            del package[key]
    chosen = _chosen({**document, "packages": [package]}) if wanted else None
    if chosen is None:
        raise _refused(package, files, demand)
    if isinstance(chosen, PackageSdist):
        package.pop("wheels", None)  # they fit no Python here, and it shall say that it is built


def _refused(
    package: Mapping[str, Any], files: Sequence[Mapping[str, Any]], demand: Hashed
) -> RequirementsError:
    """The failure for a package no file of which, for this Python, has a demanded hash."""
    what = f"{package['name']} {package.get('version', '')}".rstrip()
    known = [f"{_name(file)}  {digest}" for file in files for digest in sorted(_digests(file))]
    return RequirementsError(
        f"no file of {what} for this Python has the hash that this line demands",
        place=demand.requirement.place,
        details="\n".join(known) or None,
        remedy="find out where the other file comes from (the index, wheels/); if it is meant, "
        "write its hash, or all hashes again with `uv pip compile --generate-hashes`",
    )


def _files(package: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tables of a package's files."""
    singles = [package[key] for key in ("sdist", "archive") if key in package]
    return [*package.get("wheels", ()), *singles]


def _digests(file: Mapping[str, Any]) -> set[str]:
    """A file's hashes, as `--hash` writes them."""
    return {f"{name}:{digest}".lower() for name, digest in file.get("hashes", {}).items()}


def _chosen(document: dict[str, Any]) -> pylock.File | None:
    """The file that is installed here of a lock with one package; None when none fits."""
    try:
        return next((file for _package, file in pylock.chosen(document).values()), None)
    except PylockSelectError:
        return None


def _name(file: Mapping[str, Any]) -> str:
    """A file's name, without the place, which may hold credentials."""
    where = str(file.get("path") or urlsplit(file.get("url", "")).path)
    return str(file.get("name") or unquote(PurePosixPath(where).name))
