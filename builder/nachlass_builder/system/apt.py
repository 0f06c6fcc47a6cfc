"""Runs apt with private folders, as any user, without changing the system's state."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nachlass_builder.foundation.credentials import redact
from nachlass_builder.foundation.errors import FREE_SPACE, RequirementsError, StorageError
from nachlass_builder.foundation.process import Completed, Deadline, run

HELPER = Path("/usr/lib/apt/apt-helper")
INSTALLED = Path("/var/lib/dpkg/status")
"""The system's installed packages; apt works on a copy of it."""

CONTENTS = "Nachlass-Contents"
"""The name under which apt's configuration knows the lists of the packages' files."""

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
"""Read after the system's own configuration, whose hooks would change the system.

As root, apt would download as the user _apt, who has no access to a private folder and does not
exist in some containers. A `.` in a name is not a pattern. Lists of files are fetched for the
architecture named here: apt's variables would add the lists for architecture "all", which are
three times as long and contain no libraries. Older archives and Ubuntu's have one list for all
components.
"""

ERROR_LINES = re.compile(r"^(?:[EW]: (?!Some index files)| \S+ : ).*(?:\n  .*)*", re.MULTILINE)
DISK_FULL = re.compile(r"No space left on device|Disk quota exceeded|enough free space")


def has_apt() -> bool:
    """Return whether this system uses Debian packages and apt."""
    programs = ("apt-get", "dpkg", "dpkg-deb", "dpkg-query")
    return all(map(shutil.which, programs)) and HELPER.is_file() and INSTALLED.is_file()


@dataclass(frozen=True)
class Apt:
    """apt with its state and cache below `work`, a folder whose path has no quotes.

    The caller removes the folder; files already fetched into it are not fetched again.
    """

    work: Path
    deadline: Deadline

    @property
    def archives(self) -> Path:
        """The folder of downloaded packages."""
        return self.work / "cache/archives"

    def update(self, *, contents: bool = False) -> None:
        """Fetch the package lists, and with `contents` the lists of their files.

        Raise RequirementsError if there is no package list, if an archive's list of files cannot
        be fetched, or if no archive has one; raise StorageError on a full disk.
        """
        lists, fetched = self.work / "state/lists", self.work / "fetched"
        if fetched.is_file() and (not contents or fetched.read_text() == CONTENTS):
            return
        for folder in (lists / "partial", self.archives / "partial", self.work / "log"):
            folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(INSTALLED, self.work / "state/status")
        architecture = self.run("dpkg", "--print-architecture", doing="querying dpkg")
        configuration = CONFIGURATION.format(
            work=self.work.resolve(),
            target=CONTENTS,
            architecture=architecture.stdout.strip(),
            contents=str(contents).lower(),
        )
        (self.work / "apt.conf").write_text(configuration)
        completed = self.get("update", "--quiet", doing="fetching the Debian package lists")
        # apt fetches all or nothing: if a list of files fails, it leaves no package lists either.
        is_of_files = contents and "Contents-" in error_output(completed)
        if not is_of_files and not any(lists.glob("*_Packages*")):
            raise RequirementsError(
                "cannot fetch the Debian package lists",
                details=error_output(completed) or "no archive is configured in /etc/apt",
                remedy="give the build access to the archives in /etc/apt, through http_proxy "
                "if needed, or use a base image that has the packages",
            )
        if is_of_files or (contents and not any(lists.glob("*Contents-*"))):
            raise RequirementsError(
                "cannot fetch the Debian file lists (Contents)",
                details=error_output(completed) or "the archives in /etc/apt have none",
                remedy="list the packages in apt.txt, or configure archives with file lists in "
                "/etc/apt",
            )
        fetched.write_text(CONTENTS if contents else "")

    def get(self, *arguments: str, doing: str) -> Completed:
        """Run apt-get; raise StorageError on a full disk, leave other failures to the caller."""
        return self.run("apt-get", "-c", str(self.work / "apt.conf"), *arguments, doing=doing)

    def run(self, *command: str, doing: str) -> Completed:
        """Run a program in the C locale, with the user's proxy."""
        completed = run(
            command, doing=doing, deadline=self.deadline, environment=environment_for(os.environ)
        )
        if DISK_FULL.search(completed.stderr):
            raise StorageError(
                f"{doing}: the disk is full", details=error_output(completed), remedy=FREE_SPACE
            )
        return completed


def environment_for(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for apt, which reads only the lower-case proxy variables."""
    chosen = {**environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        if name.upper() in environ:
            chosen.setdefault(name, environ[name.upper()])
    return chosen


def error_output(completed: Completed) -> str:
    """Return apt's errors, warnings and unmet dependencies, each once."""
    found = ERROR_LINES.findall(f"{completed.stdout}\n{completed.stderr}")
    return redact("\n".join(dict.fromkeys(found)), ())
