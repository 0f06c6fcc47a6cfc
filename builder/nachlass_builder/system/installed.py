"""Asks dpkg which packages the system has, and which of them brought a file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from nachlass_builder.foundation.process import Deadline, run
from nachlass_builder.system.apt import INSTALLED


def installed_packages(deadline: Deadline) -> set[str]:
    """The names of the packages that the system has."""
    words = ("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\\n")
    listed = run(words, doing="asking dpkg", deadline=deadline).stdout
    pairs = (line.split(" ", 1) for line in listed.splitlines() if " " in line)
    return {package for status, package in pairs if status == "installed"}


def owners_of(files: Iterable[Path], deadline: Deadline) -> set[str]:
    """The packages that brought files; of a file that none has brought there is none."""
    # Where /lib leads to /usr/lib, a package may know a file by either.
    paths = {str(file) for file in files}
    paths |= {path.removeprefix("/usr") for path in paths}
    if not paths:
        return set()
    said = run(
        ["dpkg-query", "--search", *sorted(paths)], doing="asking dpkg", deadline=deadline
    ).stdout
    owners = (line.rpartition(": ")[0] for line in said.splitlines() if ": /" in line)
    names = (name for owner in owners for name in owner.split(", "))
    return {name.partition(":")[0] for name in names if not name.startswith("diversion by")}


def state_of_the_system() -> str:
    """A digest of what dpkg has installed; a word where there is no dpkg."""
    if not INSTALLED.is_file():
        return "no-dpkg"
    return hashlib.sha256(INSTALLED.read_bytes()).hexdigest()[:16]
