"""Reads `apt.txt`, where repo2docker has the system packages of a source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.foundation.excerpt import brief
from nachlass_builder.foundation.text_file import read_text

FILES = (".binder/apt.txt", "binder/apt.txt", "apt.txt")
"""Where the list can be; the first that is there is read, as repo2docker does."""

NAME = r"[a-z0-9][a-z0-9.+-]*[a-z0-9.+]"
"""A name by Debian's policy; for apt-get one that ends in `-` would be a package to remove."""

VERSION = r"[0-9][A-Za-z0-9.+:~-]*"
PACKAGE = re.compile(rf"({NAME})(?:=({VERSION}))?", re.ASCII)


@dataclass(frozen=True)
class AptPackage:
    """A Debian package that is asked for, in which version (None: any), and where."""

    name: str
    version: str | None = None
    place: Place | None = None

    def __str__(self) -> str:
        """The package as apt-get takes it; it holds nothing that a shell would read."""
        return f"{self.name}={self.version}" if self.version else self.name


def apt_txt_in(source: Path) -> str | None:
    """The name of a source's list; None without one.

    repo2docker reads no list in the root where there is a folder `binder` or
    `.binder`; here the root's is read where that folder has none.
    """
    return next((name for name in FILES if (source / name).is_file()), None)


def read_apt_txt(source: Path) -> list[AptPackage]:
    """The packages of a source's list, each once, in order; empty without a list.

    A line is `name` or `name=version`; what follows `#` is a comment. Whatever
    else is refused (RequirementsError), for it goes to an apt-get that runs as root.
    """
    name = apt_txt_in(source)
    if name is None:
        return []
    if name == FILES[0] and (source / FILES[1]).is_file():
        raise RequirementsError(
            f"both {FILES[0]} and {FILES[1]} are there, and only one is read",
            remedy="put all packages into one of them, and remove the other",
        )
    found: dict[str, AptPackage] = {}
    for number, line in enumerate(read_text(source, name, RequirementsError).splitlines(), 1):
        text = line.partition("#")[0].strip()
        if text:
            package = _package(text, Place(name, line=number))
            first = found.setdefault(package.name, package)
            if first.version != package.version:
                raise RequirementsError(
                    f"`{package}` is asked for, and above it `{first}`",
                    place=package.place,
                    remedy="leave one of them",
                )
    return list(found.values())


def _package(text: str, place: Place) -> AptPackage:
    """The package of a line; raises RequirementsError."""
    matched = PACKAGE.fullmatch(text)
    if matched is None:
        raise RequirementsError(
            f"`{brief(text)}` is no name of a Debian package", place=place, remedy=_remedy(text)
        )
    return AptPackage(matched[1], matched[2], place)


def _remedy(text: str) -> str:
    """What to write instead of a line that is refused."""
    words = re.split(r"[\s,]+", text)
    if len(words) > 1 and all(PACKAGE.fullmatch(word) for word in words):
        return "write each package on a line of its own"
    if PACKAGE.fullmatch(text.lower()):
        return f"names of packages are lower-case: write {text.lower()}"
    return "write one package a line, as `libgomp1` or `libgomp1=12.2.0-14`, and nothing else"
