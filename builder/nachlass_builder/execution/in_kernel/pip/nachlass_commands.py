"""The commands of the pip that installs nothing. Notebook's kernel."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import metadata

from pip.nachlass_install import install
from pip.nachlass_words import say, split_words, warn

NOT_AVAILABLE = "pip: `{}` is not available: the environment of this build is locked"


def run(arguments: Sequence[str] | None) -> int:
    """Run a command line, by default the process's own; return its exit status."""
    options, words = split_words(sys.argv[1:] if arguments is None else list(arguments))
    command = words[0] if words else ""
    if command == "install":
        return install(options, words[1:])
    if command in ("list", "freeze"):
        return _list(frozen=command == "freeze")
    if command == "show":
        return _show(words[1:])
    if not command or any(name in ("--version", "-V") for name, _ in options):
        say("pip of nachlass: the environment of this build is locked")
        return 0
    warn(NOT_AVAILABLE.format(command))
    return 1


def _list(*, frozen: bool) -> int:
    """Print every distribution and its version."""
    found = {dist.metadata["Name"]: dist.version for dist in metadata.distributions()}
    for name in sorted(found, key=str.lower):
        say(f"{name}=={found[name]}" if frozen else f"{name:30} {found[name]}")
    return 0


def _show(names: Sequence[str]) -> int:
    """Print the name, version and summary of distributions."""
    status = 0
    for name in names:
        try:
            known = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            warn(f"WARNING: Package(s) not found: {name}")
            status = 1
            continue
        say(f"Name: {known['Name']}\nVersion: {known['Version']}\nSummary: {known['Summary']}")
    return status
