"""Runs apt with folders of its own: as any user, and without a trace in the system's."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nachlass_builder.foundation.credentials import redact
from nachlass_builder.foundation.errors import FREE_SOME, RequirementsError, RoomError
from nachlass_builder.foundation.process import Completed, Deadline, run

HELPER = Path("/usr/lib/apt/apt-helper")
INSTALLED = Path("/var/lib/dpkg/status")
"""What the system has; it is read, and a copy of it is what apt may lock."""

CONTENTS = "Nachlass-Contents"
"""apt's name for the lists of which package brings which file, as we tell it of them."""

CONFIGURATION = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
APT::Cmd::Pattern-Only "true";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
Dir::State "{work}/state";
Dir::State::status "{work}/state/status";
Dir::Cache "{work}/cache";
Dir::Cache::archives "archives";
Dir::Log "{work}/log";
Acquire::IndexTargets::deb {{
  {target} {{
    MetaKey "$(COMPONENT)/Contents-{architecture}";
    Description "$(RELEASE)/$(COMPONENT) Contents";
    flatMetaKey "Contents-{architecture}";
    flatDescription "$(RELEASE) Contents";
    ShortDescription "Contents";
    Identifier "{target}";
    KeepCompressed "true";
    KeepCompressedAs "gz";
    DefaultEnabled "{contents}";
  }};
  {target}-Legacy {{
    MetaKey "Contents-{architecture}";
    Description "$(RELEASE) Contents";
    ShortDescription "Contents";
    Fallback-Of "{target}";
    Identifier "{target}";
    KeepCompressed "true";
    KeepCompressedAs "gz";
    DefaultEnabled "{contents}";
  }};
}};
"""
"""Read after the system's own configuration, whose hooks would work on the system.

As root, apt would download as the user _apt, who cannot reach a private
folder, and whom a container without other users does not have. A `.` in a name
makes no pattern. Lists of files are fetched for one architecture, named here:
by apt's variables would come those of packages for all architectures too, which
are three times as long and hold no libraries. Older and Ubuntu's archives have
one list for all components.
"""

SAID = re.compile(r"^(?:[EW]: (?!Some index files)| \S+ : ).*(?:\n  .*)*", re.MULTILINE)
NO_ROOM = re.compile(r"No space left on device|Disk quota exceeded|enough free space")


def has_apt() -> bool:
    """Whether this system's packages are Debian's, and apt brings them."""
    programs = ("apt-get", "dpkg", "dpkg-deb", "dpkg-query")
    return all(map(shutil.which, programs)) and HELPER.is_file() and INSTALLED.is_file()


@dataclass(frozen=True)
class Apt:
    """apt with its state and its cache below `work`, a folder whose path has no quotes.

    Whoever gives the folder removes it; what was fetched into it is not fetched again.
    """

    work: Path
    deadline: Deadline

    @property
    def archives(self) -> Path:
        """Where downloaded packages are."""
        return self.work / "cache/archives"

    def update(self, *, contents: bool = False) -> None:
        """Fetch the lists of packages, and with `contents` those of their files.

        Raises RequirementsError if there is no list of packages, or if one of files
        that an archive has cannot be fetched, or none has one; RoomError on a full disk.
        """
        lists, fetched = self.work / "state/lists", self.work / "fetched"
        if fetched.is_file() and (not contents or fetched.read_text() == CONTENTS):
            return
        for folder in (lists / "partial", self.archives / "partial", self.work / "log"):
            folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(INSTALLED, self.work / "state/status")
        architecture = self.run("dpkg", "--print-architecture", doing="asking dpkg")
        configuration = CONFIGURATION.format(
            work=self.work.resolve(),
            target=CONTENTS,
            architecture=architecture.stdout.strip(),
            contents=str(contents).lower(),
        )
        (self.work / "apt.conf").write_text(configuration)
        done = self.get("update", "--quiet", doing="fetching the lists of Debian packages")
        # apt fetches all or nothing: for want of a list of files it gives none of packages.
        is_of_files = contents and "Contents-" in said(done)
        if not is_of_files and not any(lists.glob("*_Packages*")):
            raise RequirementsError(
                "the lists of Debian packages cannot be fetched",
                details=said(done) or "/etc/apt names no archive",
                remedy="let the build reach the archives that /etc/apt names, through http_proxy "
                "if need be, or make a base image that has the packages",
            )
        if is_of_files or (contents and not any(lists.glob("*Contents-*"))):
            raise RequirementsError(
                "the lists of the files of Debian packages cannot be fetched",
                details=said(done) or "the archives that /etc/apt names have none",
                remedy="name the packages in apt.txt, or archives that have such lists in /etc/apt",
            )
        fetched.write_text(CONTENTS if contents else "")

    def get(self, *arguments: str, doing: str) -> Completed:
        """Run apt-get; raises RoomError on a full disk, and leaves other failures to the caller."""
        return self.run("apt-get", "-c", str(self.work / "apt.conf"), *arguments, doing=doing)

    def run(self, *command: str, doing: str) -> Completed:
        """Run a program in the language that we read, and with the user's proxy."""
        done = run(
            command, doing=doing, deadline=self.deadline, environment=environment_for(os.environ)
        )
        if NO_ROOM.search(done.stderr):
            raise RoomError(f"{doing}: the disk is full", details=said(done), remedy=FREE_SOME)
        return done


def environment_for(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for apt, which knows variables of proxies by their small names alone."""
    chosen = {**environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        if name.upper() in environ:
            chosen.setdefault(name, environ[name.upper()])
    return chosen


def said(done: Completed) -> str:
    """The errors and warnings of apt's, each once, and which dependencies it cannot meet."""
    found = SAID.findall(f"{done.stdout}\n{done.stderr}")
    return redact("\n".join(dict.fromkeys(found)), ())
