"""The hashes that the source requires for the files of its requirements."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.foundation.excerpt import brief
from nachlass_builder.requirements.requirement import Requirement

ALGORITHM = "sha256"
"""The algorithm of locks; checking any other hash would mean fetching the file first."""
DIGITS = 64
"""Hexadecimal digits in such a hash."""

_HASH = re.compile(r"(?:^|\s)--hash(?:=|\s+|$)(\S*)")
_FRAGMENT = re.compile(r"(?:^|&)(sha1|sha224|sha256|sha384|sha512|md5)=([^&]*)")


@dataclass(frozen=True)
class Hashed:
    """A requirement or constraint, and the accepted hashes of its file: `sha256:...`."""

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


def _check_form(digest: str, place: Place) -> None:
    """Reject a malformed hash, which would match nothing or any file."""
    algorithm, colon, digits = digest.partition(":")
    if not (colon and algorithm and digits):
        raise _unreadable(f"--hash={digest} is not a hash: write ALGORITHM:DIGITS", place)
    if algorithm == ALGORITHM and not re.fullmatch(rf"[0-9a-f]{{{DIGITS}}}", digits):
        raise _unreadable(
            f"{brief(digest)} is not a hash: {ALGORITHM} has {DIGITS} hexadecimal digits", place
        )


def _hashes_of(algorithms: Sequence[str]) -> str:
    """Name hashes by their algorithms: `an md5 hash`, `md5 and sha1 hashes`."""
    if len(algorithms) > 1:
        return f"{' and '.join(algorithms)} hashes"
    return f"{'an' if algorithms[0].startswith('m') else 'a'} {algorithms[0]} hash"


def _unreadable(message: str, place: Place) -> RequirementsError:
    """Return the error for a hash that cannot be checked."""
    remedy = f"write --hash={ALGORITHM}:..., as `pip hash FILE` prints it"
    return RequirementsError(message, place=place, remedy=remedy)


def split_hashes(line: str) -> tuple[str, tuple[str, ...]]:
    """Split a line of a requirements file into its text and the values of `--hash`."""
    digests = tuple(digest.strip("\"'").lower() for digest in _HASH.findall(line))
    return _HASH.sub("", line).strip(), digests


def hashes_of_links(requirements: Iterable[Requirement]) -> Iterator[Hashed]:
    """Yield the hashes in the fragments of links: `NAME @ https://...#sha256=...`."""
    for requirement in requirements:
        found = _FRAGMENT.findall(urlsplit(requirement.parsed.url or "").fragment)
        if found:
            digests = tuple(f"{algorithm}:{digest.lower()}" for algorithm, digest in found)
            yield Hashed(requirement, digests)
