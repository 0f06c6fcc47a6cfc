"""Unpacks Debian packages below a folder, as any user, without running their scripts."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from nachlass_builder.foundation.errors import RequirementsError
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.system.apt import Apt, error_output
from nachlass_builder.system.apt_txt import AptPackage

UNKNOWN = re.compile(
    r"^E: (?:Unable to locate package|Package|Version '.*?' for) '?([^\s']+)", re.MULTILINE
)
"""apt-get's message for a package or version that no archive has."""

INSTALL_HEADER = "The following NEW packages will be installed:"
"""apt-get's message for missing packages; it does not copy those of a `file:` archive."""

C_PACKAGE = "libc6"
"""Never unpacked: a process must use the C library of the loader, which is the base's."""

PROGRAMS = ("usr/local/bin", "usr/bin", "bin", "usr/sbin", "sbin")
LIBRARIES = ("usr/lib/*-linux-*", "lib/*-linux-*", "usr/lib", "lib")


class Unpacked(NamedTuple):
    """An unpacked package."""

    name: str
    version: str


def unpack(
    packages: Sequence[AptPackage], prefix: Path, work: Path, *, deadline: Deadline
) -> list[Unpacked]:
    """Unpack packages below `prefix`, with the dependencies that the system lacks.

    Installed packages are not fetched unless another needs a newer version; the C library is
    never unpacked. Package scripts do not run, so their results (links of alternatives, entries
    in /etc, caches) are missing. Return the unpacked packages by name.

    `work` is a folder for apt's files: see Apt. Raise RequirementsError for a package that no
    archive has, or if nothing can be fetched; raise StorageError on a full disk.
    """
    if not packages:
        return []
    apt = Apt(work, deadline)
    apt.update()
    names = ", ".join(map(str, packages))
    completed = apt.get(
        *("install", "--download-only", "--yes", "--quiet"),
        *("--no-install-recommends", "--no-upgrade", "--no-remove", "--"),
        *map(str, packages),
        doing=f"fetching {names}",
    )
    if completed.status:
        raise _unavailable(packages, error_output(completed))
    files = sorted(apt.archives.glob("*.deb"))
    if not files and INSTALL_HEADER in completed.stdout:
        raise RequirementsError(
            f"apt-get did not copy {names}",
            remedy="in /etc/apt, replace `file:` with `copy:` in the archive addresses",
        )
    prefix.mkdir(parents=True, exist_ok=True)
    return [found for file in files for found in _add(apt, file, prefix)]


def environment_with(prefix: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return PATH and LD_LIBRARY_PATH with which programs find the unpacked files.

    Entries from `environ` come first. Subfolders of library folders are included, because
    Debian's own libraries refer to them by the system's paths.
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
    """Unpack one downloaded package, except the C library."""
    shown = apt.run("dpkg-deb", "-W", str(file), doing=f"reading {file.name}")
    name, _tab, version = shown.stdout.strip().partition("\t")
    if name == C_PACKAGE:
        return
    completed = apt.run("dpkg-deb", "-x", str(file), str(prefix), doing=f"unpacking {file.name}")
    if completed.status:
        raise RequirementsError(f"{name} cannot be unpacked", details=completed.stderr.strip())
    file.unlink()
    yield Unpacked(name, version)


def _unavailable(packages: Sequence[AptPackage], why: str) -> RequirementsError:
    """Return the error for packages that apt-get cannot fetch."""
    unknown = set(UNKNOWN.findall(why))
    package = next((package for package in packages if package.name in unknown), None)
    if package is None:
        names = ", ".join(map(str, packages))
        return RequirementsError(f"apt-get cannot fetch {names}", details=why)
    return RequirementsError(
        f"no archive of {_system()} has {package}",
        place=package.place,
        details=why,
        remedy="look up its name in this release at https://packages.debian.org, "
        "or add the archive that has it to the base image's /etc/apt",
    )


def _system() -> str:
    """Return this system's name, such as `Debian GNU/Linux 12 (bookworm)`."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "this system"
