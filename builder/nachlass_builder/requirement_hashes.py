"""Hashes that the source demands of the files of its requirements. Builder environment.

uv verifies them when it installs from a requirements file, not when it locks,
and it is a lock that we install from: so the lock keeps only the files that
have one of the hashes. A line that allows another version than the locked one
demands nothing of it; as for uv, a requirement without hashes is not refused,
unless a file says `--require-hashes`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import tomli_w
from packaging.pylock import PackageSdist, PylockSelectError

from nachlass_builder import pylock
from nachlass_builder.credentials import redact
from nachlass_builder.errors import Place, RequirementsError
from nachlass_builder.quote import brief
from nachlass_builder.requirement import Requirement

ALGORITHM = "sha256"
"""What locks have; other hashes could only be compared once a file has been fetched."""
DIGITS = 64
"""Hexadecimal digits of such a hash."""

_HASH = re.compile(r"(?:^|\s)--hash(?:=|\s+|$)(\S*)")
_FRAGMENT = re.compile(r"(?:^|&)(sha1|sha224|sha256|sha384|sha512|md5)=([^&]*)")


@dataclass(frozen=True)
class Hashed:
    """A requirement or constraint, and the hashes that its file may have: `sha256:...`."""

    requirement: Requirement
    digests: tuple[str, ...]

    def __post_init__(self) -> None:
        for digest in self.digests:
            _check_form(digest, self.requirement.place)
        if not any(digest.startswith(f"{ALGORITHM}:") for digest in self.digests):
            algorithms = sorted({one.partition(":")[0] for one in self.digests})
            raise _unreadable(
                f"{_hashes_of(algorithms)} cannot be checked: the lock has {ALGORITHM} hashes",
                self.requirement.place,
            )

    @property
    def demand(self) -> list[str]:
        """The requirement and its hashes, without the place."""
        return [self.requirement.text, *sorted(self.digests)]

    def concerns(self, package: Mapping[str, Any]) -> bool:
        """Whether a locked package is what the requirement means."""
        parsed, version = self.requirement.parsed, package.get("version")
        if self.requirement.name != pylock.name_of(dict(package)):
            return False
        if parsed.marker and not parsed.marker.evaluate():
            return False
        if parsed.url:
            return not ("wheels" in package or "sdist" in package)
        return version is None or parsed.specifier.contains(str(version), prereleases=True)


def _check_form(digest: str, place: Place) -> None:
    """Refuse what is no hash, which would otherwise demand nothing, or what no file can have."""
    algorithm, colon, digits = digest.partition(":")
    if not (colon and algorithm and digits):
        raise _unreadable(f"--hash={digest} is no hash, but has to be ALGORITHM:DIGITS", place)
    if algorithm == ALGORITHM and not re.fullmatch(rf"[0-9a-f]{{{DIGITS}}}", digits):
        raise _unreadable(
            f"{brief(digest)} is no hash: a {ALGORITHM} has {DIGITS} hexadecimal digits", place
        )


def _hashes_of(algorithms: Sequence[str]) -> str:
    """Hashes by their algorithms: `an md5 hash`, `md5 and sha1 hashes`."""
    if len(algorithms) > 1:
        return f"{' and '.join(algorithms)} hashes"
    return f"{'an' if algorithms[0].startswith('m') else 'a'} {algorithms[0]} hash"


def _unreadable(message: str, place: Place) -> RequirementsError:
    """The failure for a hash that nothing can be compared with."""
    remedy = f"write --hash={ALGORITHM}:..., as `pip hash FILE` prints it"
    return RequirementsError(message, place=place, remedy=remedy)


def split_hashes(line: str) -> tuple[str, tuple[str, ...]]:
    """A line of a requirements file without its `--hash` options, and their values."""
    digests = tuple(digest.strip("\"'").lower() for digest in _HASH.findall(line))
    return _HASH.sub("", line).strip(), digests


def hashes_of_links(requirements: Iterable[Requirement]) -> Iterator[Hashed]:
    """The hashes in the fragments of links: `NAME @ https://...#sha256=...`."""
    for requirement in requirements:
        found = _FRAGMENT.findall(urlsplit(requirement.parsed.url or "").fragment)
        if found:
            digests = tuple(f"{algorithm}:{digest.lower()}" for algorithm, digest in found)
            yield Hashed(requirement, digests)


def restrict(text: str, demands: Sequence[Hashed]) -> str:
    """A lock with only those files that have the demanded hashes; raises RequirementsError."""
    document = tomllib.loads(text)
    concerned = [
        (package, demand)
        for package in pylock.packages(document)
        for demand in demands
        if demand.concerns(package)
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
        if any(demand.concerns(package) for demand in demands):
            continue
        name = pylock.name_of(dict(package))
        raise RequirementsError(
            f"{name} {package.get('version', '')}".rstrip() + f" has no hash, {asks}",
            place=places.get(name, place),
            remedy="list all that the requirements need with hashes, "
            "as `uv pip compile --generate-hashes` does",
        )


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
