"""Finds the Debian package that provides a library, in the archive's file lists."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from nachlass_builder.foundation.errors import RequirementsError
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.system.apt import CONTENTS, HELPER, Apt, error_output
from nachlass_builder.system.installed import installed_packages
from nachlass_builder.system.policy_names import TIME64_SUFFIX, package_names_for

LOADER_PATHS = re.compile(r"(usr/)?lib(64)?/([^/]+-linux-[^/]+/)?[^/]+")
"""The path of a library in a default folder of the loader."""

ALTERNATIVE = re.compile(r"usr/lib/[^/]+-linux-[^/]+/[^/]+/[^/]+")
"""The path of a library that Debian links to on installation: `blas/libblas.so.3`."""

FILTER_LINES = 'names=$1; shift; "$@" | grep -F -f "$names"'
"""The file lists have hundreds of megabytes, so grep filters them."""


@dataclass(frozen=True)
class _Owner:
    """A package with a file of the name: its path, component and section."""

    path: str
    component: str
    section: str
    package: str


def packages_with_files(
    sonames: Iterable[str], work: Path, *, deadline: Deadline
) -> dict[str, str]:
    """Return the package that provides each library, from the system's configured archives.

    Libraries are left out if no package has them where the loader looks, or if the package is
    installed. Among several packages, the order of preference is: (1) in a default folder rather
    than one below, (2) component main, (3) section libs, (4) the name most like the one that
    Debian derives from the library's, (5) the shortest path, (6) alphabetical order.

    `work` is a folder for apt's files: see Apt. Raise RequirementsError if the lists cannot be
    fetched, StorageError on a full disk.
    """
    names = sorted(set(sonames))
    if not names:
        return {}
    apt = Apt(work, deadline)
    apt.update(contents=True)
    owners = _owners(apt, names)
    installed = installed_packages(deadline)
    chosen = {
        name: min(found, key=lambda owner: _rank(owner, name)).package
        for name in names
        if (found := owners[name])
    }
    return {name: package for name, package in chosen.items() if package not in installed}


def _owners(apt: Apt, names: list[str]) -> dict[str, list[_Owner]]:
    """Return the packages that have each library where a loader can find it."""
    doing = "looking up the packages of libraries"
    listed = apt.get(
        *("indextargets", "--format", "$(FILENAME)", f"Identifier: {CONTENTS}"), doing=doing
    )
    files = [file for file in listed.stdout.splitlines() if file]
    patterns = apt.work / "names"
    patterns.write_text("".join(f"/{name}\n" for name in names))
    command = ("sh", "-c", FILTER_LINES, "sh", str(patterns), str(HELPER), "cat-file", *files)
    completed = apt.run(*command, doing=doing)
    if "E: " in completed.stderr:
        raise RequirementsError(
            "cannot read the Debian file lists (Contents)", details=error_output(completed)
        )
    found: dict[str, list[_Owner]] = {name: [] for name in names}
    for line in completed.stdout.splitlines():
        path, _space, packages = line.rpartition(" ")
        path = path.rstrip()
        name = path.rpartition("/")[2]
        if name in found and (LOADER_PATHS.fullmatch(path) or ALTERNATIVE.fullmatch(path)):
            found[name] += [_owner(path, package) for package in packages.split(",")]
    return found


def _owner(path: str, text: str) -> _Owner:
    """Parse a package from the lists: `libs/libgomp1`, `non-free/libs/intel-mkl`."""
    *component, section, package = f"/{text}".split("/")
    return _Owner(path, component[-1] if component else "", section, package)


def _rank(owner: _Owner, name: str) -> tuple[bool, bool, bool, float, int, str]:
    """Return the sort key of a package; the smallest is chosen."""
    return (
        not LOADER_PATHS.fullmatch(owner.path),
        owner.component not in {"", "main"},
        owner.section != "libs",
        -_similarity(owner.package, name),
        len(owner.path),
        owner.package,
    )


def _similarity(package: str, name: str) -> float:
    """Return how similar a package's name is to the one Debian derives from a library's name."""
    made = next(package_names_for(name))
    plain = package.removesuffix(TIME64_SUFFIX)
    return SequenceMatcher(None, plain, made, autojunk=False).ratio()
