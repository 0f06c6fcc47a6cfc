"""Asks dpkg which packages the system has, and which of them brought a file."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from nachlass_builder.foundation.process import Deadline, run
from nachlass_builder.system.apt import INSTALLED

ARCHIVES = Path("/etc/apt")
DIVERSION = re.compile(r"(local )?diversion (by|from|to)\b")
"""How dpkg begins a line about a file that it keeps elsewhere."""


def installed_packages(deadline: Deadline) -> dict[str, str]:
    """The packages that the system has, by name, and their versions."""
    words = ("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\\n")
    listed = run(words, doing="asking dpkg", deadline=deadline).stdout
    lines = (line.split() for line in listed.splitlines())
    return {words[1]: words[2] for words in lines if words[:1] == ["installed"]}


def owners_of(files: Iterable[Path], deadline: Deadline) -> set[str]:
    """The packages that brought files; of a file that none has brought there is none."""
    # Where /lib leads to /usr/lib, a package may know a file by either.
    # A library may be a link that an alternative has made, to one that a package has brought.
    paths = {str(path) for file in files for path in (file, file.resolve())}
    paths |= {path.removeprefix("/usr") for path in paths}
    if not paths:
        return set()
    said = run(
        ["dpkg-query", "--search", *sorted(paths)], doing="asking dpkg", deadline=deadline
    ).stdout
    owners = (line.rpartition(": ")[0] for line in said.splitlines() if ": /" in line)
    names = (name for owner in owners if not DIVERSION.match(owner) for name in owner.split(", "))
    return {name.partition(":")[0] for name in names}


def state_of_the_system() -> str:
    """A digest of what dpkg has installed, and of the archives that apt knows."""
    digest = hashlib.sha256()
    for path in (INSTALLED, *sorted(ARCHIVES.glob("sources.list*")), *sorted(ARCHIVES.glob("*/*"))):
        if path.is_file() and os.access(path, os.R_OK):
            digest.update(f"{path}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
