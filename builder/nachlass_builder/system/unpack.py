"""Unpacks Debian packages below a folder, as any user; their scripts do not run."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from nachlass_builder.foundation.errors import RequirementsError
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.system.apt import Apt, said
from nachlass_builder.system.apt_txt import AptPackage

UNKNOWN = re.compile(
    r"^E: (?:Unable to locate package|Package|Version '.*?' for) '?([^\s']+)", re.MULTILINE
)
"""apt-get on a package, or a version of one, that no archive has."""

TO_INSTALL = "The following NEW packages will be installed:"
"""apt-get on what the system lacks; packages of an archive in a folder it leaves there."""

C_PACKAGE = "libc6"
"""A process cannot load another C library than the loader's, which is the base's."""

PROGRAMS = ("usr/local/bin", "usr/bin", "bin", "usr/sbin", "sbin")
LIBRARIES = ("usr/lib/*-linux-*", "lib/*-linux-*", "usr/lib", "lib")


class Unpacked(NamedTuple):
    """A package that was unpacked."""

    name: str
    version: str


def unpack(
    packages: Sequence[AptPackage], prefix: Path, work: Path, *, deadline: Deadline
) -> list[Unpacked]:
    """Unpack packages below `prefix`, with what they depend on and the system lacks.

    Packages that the system has are not fetched, unless another needs a newer
    version; the C library never is unpacked. No script of a package runs: what
    one would make (links of alternatives, entries in /etc, caches) is not there.
    Gives what was unpacked, by name.

    `work` is a folder for apt's files: see Apt. Raises RequirementsError for a
    package that no archive has, and when nothing can be fetched; RoomError on
    a full disk.
    """
    if not packages:
        return []
    apt = Apt(work, deadline)
    apt.update()
    names = ", ".join(map(str, packages))
    done = apt.get(
        *("install", "--download-only", "--yes", "--quiet"),
        *("--no-install-recommends", "--no-upgrade", "--no-remove", "--"),
        *map(str, packages),
        doing=f"fetching {names}",
    )
    if done.status:
        raise _refused(packages, said(done))
    files = sorted(apt.archives.glob("*.deb"))
    if not files and TO_INSTALL in done.stdout:
        raise RequirementsError(
            f"apt-get has not copied {names}",
            remedy="in /etc/apt, write `copy:` for `file:` in the addresses of archives",
        )
    prefix.mkdir(parents=True, exist_ok=True)
    return [found for file in files for found in _add(apt, file, prefix)]


def environment_with(prefix: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables with which programs find what was unpacked: PATH and LD_LIBRARY_PATH.

    What the variables name in `environ` comes first. Folders below those of
    libraries count too: Debian's own libraries know them by the system's paths.
    """
    libraries = [folder for pattern in LIBRARIES for folder in sorted(prefix.glob(pattern))]
    below = {file.parent for folder in libraries for file in folder.glob("*/lib*.so*")}
    programs = [prefix / name for name in PROGRAMS]
    found = {
        "LD_LIBRARY_PATH": [*libraries, *sorted(below - set(libraries))],
        "PATH": [folder for folder in programs if folder.is_dir()],
    }
    return {
        name: ":".join([*([environ[name]] if environ.get(name) else ()), *map(str, folders)])
        for name, folders in found.items()
        if folders
    }


def _add(apt: Apt, file: Path, prefix: Path) -> Iterator[Unpacked]:
    """Unpack one downloaded package, unless it may not be."""
    shown = apt.run("dpkg-deb", "-W", str(file), doing=f"reading {file.name}")
    name, _tab, version = shown.stdout.strip().partition("\t")
    if name == C_PACKAGE:
        return
    done = apt.run("dpkg-deb", "-x", str(file), str(prefix), doing=f"unpacking {file.name}")
    if done.status:
        raise RequirementsError(f"{name} cannot be unpacked", details=done.stderr.strip())
    file.unlink()
    yield Unpacked(name, version)


def _refused(packages: Sequence[AptPackage], why: str) -> RequirementsError:
    """The failure for packages that apt-get does not give us."""
    unknown = set(UNKNOWN.findall(why))
    package = next((package for package in packages if package.name in unknown), None)
    if package is None:
        names = ", ".join(map(str, packages))
        return RequirementsError(f"apt-get cannot fetch {names}", details=why)
    return RequirementsError(
        f"no archive of {_system()} has {package}",
        place=package.place,
        details=why,
        remedy="look up what the release calls it, at https://packages.debian.org, "
        "or name the archive that has it in the base image's /etc/apt",
    )


def _system() -> str:
    """What this system calls itself: `Debian GNU/Linux 12 (bookworm)`."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "this system"
