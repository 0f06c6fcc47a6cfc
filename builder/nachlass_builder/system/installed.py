"""Queries dpkg for the installed packages and the owners of files."""

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
"""The start of dpkg's line about a diverted file."""


def installed_packages(deadline: Deadline) -> dict[str, str]:
    """Return the versions of the installed packages by name."""
    words = ("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\\n")
    listed = run(words, doing="querying dpkg", deadline=deadline).stdout
    lines = (line.split() for line in listed.splitlines())
    return {words[1]: words[2] for words in lines if words[:1] == ["installed"]}


def owners_of(files: Iterable[Path], deadline: Deadline) -> set[str]:
    """Return the packages that own files; files without an owner are left out."""
    # If /lib links to /usr/lib, a package may list a file under either.
    # A library may be a link of the alternatives system to a file that a package owns.
    paths = {str(path) for file in files for path in (file, file.resolve())}
    paths |= {path.removeprefix("/usr") for path in paths}
    if not paths:
        return set()
    output = run(
        ["dpkg-query", "--search", *sorted(paths)], doing="querying dpkg", deadline=deadline
    ).stdout
    owners = (line.rpartition(": ")[0] for line in output.splitlines() if ": /" in line)
    names = (name for owner in owners if not DIVERSION.match(owner) for name in owner.split(", "))
    return {name.partition(":")[0] for name in names}


def system_state() -> str:
    """Return a digest of the installed packages and of apt's configured archives."""
    digest = hashlib.sha256()
    for path in (INSTALLED, *sorted(ARCHIVES.glob("sources.list*")), *sorted(ARCHIVES.glob("*/*"))):
        if path.is_file() and os.access(path, os.R_OK):
            digest.update(f"{path}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
