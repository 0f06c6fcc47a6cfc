"""Finds a library's package by its name under Debian's policy.

https://www.debian.org/doc/debian-policy/ch-sharedlibs.html, 8.1: `libgomp.so.1` is in
libgomp1, `libX11.so.6` in libx11-6. This needs only the package lists; the file lists
(debian_archive.py) are larger, and a mirror may not have them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from nachlass_builder.foundation.process import Deadline
from nachlass_builder.system.apt import Apt

TIME64_SUFFIX = "t64"
"""The suffix of libraries that Debian rebuilt for 64-bit time."""


def packages_named_after(
    sonames: Iterable[str], work: Path, *, deadline: Deadline
) -> dict[str, str]:
    """Return the archives' packages that are named after libraries.

    A library that shares its package with others (`libgthread-2.0.so.0`) is left out. `work` is a
    folder for apt's files: see Apt, also for the exceptions.
    """
    names = sorted(set(sonames))
    if not names:
        return {}
    apt = Apt(work, deadline)
    apt.update()
    listed = apt.run(
        *("apt-cache", "-c", str(work / "apt.conf"), "pkgnames"), doing="listing Debian's packages"
    )
    available = set(listed.stdout.split())
    found = {
        name: next((n for n in package_names_for(name) if n in available), None) for name in names
    }
    return {name: package for name, package in found.items() if package}


def package_names_for(soname: str) -> Iterator[str]:
    """Yield the possible package names of a library: `libgl1`, `libgl1t64`."""
    stem, _so, version = soname.lower().replace("_", "-").partition(".so")
    version = version.lstrip(".")
    for name in dict.fromkeys((stem, re.sub(r"-(?=\d)", "", stem))):
        hyphen = "-" if version and name[-1:].isdigit() else ""
        yield f"{name}{hyphen}{version}"
        yield f"{name}{hyphen}{version}{TIME64_SUFFIX}"
