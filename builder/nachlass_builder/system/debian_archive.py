"""Finds in Debian's archive which package brings a library."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from nachlass_builder.foundation.errors import RequirementsError
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.system.apt import CONTENTS, HELPER, Apt, said
from nachlass_builder.system.installed import installed_packages
from nachlass_builder.system.policy_names import OF_64_BIT_TIME, names_made_of

LOADER_LOOKS = re.compile(r"(usr/)?lib(64)?/([^/]+-linux-[^/]+/)?[^/]+")
"""The path of a library in a default folder of the loader's."""

ALTERNATIVE = re.compile(r"usr/lib/[^/]+-linux-[^/]+/[^/]+/[^/]+")
"""The path of one to which Debian makes a link as it installs it: `blas/libblas.so.3`."""

LINES_OF = 'names=$1; shift; "$@" | grep -F -f "$names"'
"""The lists of files are hundreds of megabytes: grep's answer is what we read."""


@dataclass(frozen=True)
class _Owner:
    """A package that has a file of the name: where, and of which component and section."""

    path: str
    component: str
    section: str
    package: str


def packages_that_bring(
    sonames: Iterable[str], work: Path, *, deadline: Deadline
) -> dict[str, str]:
    """The package that brings each library, by the archives that this system knows of.

    Left out are names of which no package has a file where the loader looks,
    and those whose package is installed. Of several packages it is the one
    (1) that has it in a default folder rather than in a folder below, (2) of
    the component main, (3) of the section libs, (4) whose name is as Debian
    makes it of the library's, or is most like it, (5) that has the shortest
    path, (6) first by the alphabet.

    `work` is a folder for apt's files: see Apt. Raises RequirementsError when
    the lists cannot be fetched, RoomError on a full disk.
    """
    wanted = sorted(set(sonames))
    if not wanted:
        return {}
    apt = Apt(work, deadline)
    apt.update(contents=True)
    owners = _owners(apt, wanted)
    there = installed_packages(deadline)
    chosen = {
        name: min(found, key=lambda owner: _rank(owner, name)).package
        for name in wanted
        if (found := owners[name])
    }
    return {name: package for name, package in chosen.items() if package not in there}


def _owners(apt: Apt, names: list[str]) -> dict[str, list[_Owner]]:
    """The packages that have a file of each name where a loader can find it."""
    doing = "looking for the packages that bring libraries"
    listed = apt.get(
        *("indextargets", "--format", "$(FILENAME)", f"Identifier: {CONTENTS}"), doing=doing
    )
    files = [file for file in listed.stdout.splitlines() if file]
    patterns = apt.work / "names"
    patterns.write_text("".join(f"/{name}\n" for name in names))
    command = ("sh", "-c", LINES_OF, "sh", str(patterns), str(HELPER), "cat-file", *files)
    done = apt.run(*command, doing=doing)
    if "E: " in done.stderr:
        raise RequirementsError(
            "the lists of the files of Debian packages cannot be read", details=said(done)
        )
    found: dict[str, list[_Owner]] = {name: [] for name in names}
    for line in done.stdout.splitlines():
        path, _space, packages = line.rpartition(" ")
        path = path.rstrip()
        name = path.rpartition("/")[2]
        if name in found and (LOADER_LOOKS.fullmatch(path) or ALTERNATIVE.fullmatch(path)):
            found[name] += [_owner(path, package) for package in packages.split(",")]
    return found


def _owner(path: str, text: str) -> _Owner:
    """A package as the lists name it: `libs/libgomp1`, `non-free/libs/intel-mkl`."""
    *component, section, package = f"/{text}".split("/")
    return _Owner(path, component[-1] if component else "", section, package)


def _rank(owner: _Owner, name: str) -> tuple[bool, bool, bool, float, int, str]:
    """What is smallest for the package to choose."""
    return (
        not LOADER_LOOKS.fullmatch(owner.path),
        owner.component not in {"", "main"},
        owner.section != "libs",
        -_likeness(owner.package, name),
        len(owner.path),
        owner.package,
    )


def _likeness(package: str, name: str) -> float:
    """How much a package's name is as Debian makes it of a library's: 1 if it is that."""
    made = next(names_made_of(name))
    plain = package.removesuffix(OF_64_BIT_TIME)
    return SequenceMatcher(None, plain, made, autojunk=False).ratio()
