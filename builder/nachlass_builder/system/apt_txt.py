"""Reads `apt.txt`, repo2docker's list of a source's system packages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.foundation.excerpt import brief
from nachlass_builder.foundation.text_file import read_text

FILES = (".binder/apt.txt", "binder/apt.txt", "apt.txt")
"""The possible places of the list; as in repo2docker, the first that exists is read."""

NAME = r"[a-z0-9][a-z0-9.+-]*[a-z0-9.+]"
"""A name by Debian's policy; apt-get would remove the package of a name that ends in `-`."""

VERSION = r"[0-9][A-Za-z0-9.+:~-]*"
PACKAGE = re.compile(rf"({NAME})(?:=({VERSION}))?", re.ASCII)


@dataclass(frozen=True)
class AptPackage:
    """A requested Debian package, its version (None: any), and its place."""

    name: str
    version: str | None = None
    place: Place | None = None

    def __str__(self) -> str:
        """Return the package as apt-get expects it; nothing in it is special to a shell."""
        return f"{self.name}={self.version}" if self.version else self.name


def apt_txt_in(source: Path) -> str | None:
    """Return the name of a source's list; None without one.

    repo2docker ignores a list in the root if there is a folder `binder` or `.binder`; here it is
    read if that folder has no list.
    """
    return next((name for name in FILES if (source / name).is_file()), None)


def read_apt_txt(source: Path) -> list[AptPackage]:
    """Return the packages of a source's list, each once, in order; empty without a list.

    A line is `name` or `name=version`; `#` starts a comment. Raise RequirementsError for anything
    else, because the list goes to an apt-get that runs as root.
    """
    name = apt_txt_in(source)
    if name is None:
        return []
    if name == FILES[0] and (source / FILES[1]).is_file():
        raise RequirementsError(
            f"both {FILES[0]} and {FILES[1]} exist, but only one is read",
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
                    f"`{package}` conflicts with `{first}` above",
                    place=package.place,
                    remedy="keep one of them",
                )
    return list(found.values())


def _package(text: str, place: Place) -> AptPackage:
    """Return the package of a line; raise RequirementsError."""
    matched = PACKAGE.fullmatch(text)
    if matched is None:
        raise RequirementsError(
            f"`{brief(text)}` is not a Debian package name", place=place, remedy=_remedy(text)
        )
    return AptPackage(matched[1], matched[2], place)


def _remedy(text: str) -> str:
    """Return what to write instead of a rejected line."""
    words = re.split(r"[\s,]+", text)
    if len(words) > 1 and all(PACKAGE.fullmatch(word) for word in words):
        return "write each package on a separate line"
    if PACKAGE.fullmatch(text.lower()):
        return f"package names are lower-case: write {text.lower()}"
    return "write one package per line, as `libgomp1` or `libgomp1=12.2.0-14`, and nothing else"
