"""`pip install`, which only compares with the installed packages. Notebook's kernel."""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from pip.nachlass_links import installed_from, redacted
from pip.nachlass_words import say, split_words, warn

MISSING_VARIABLE = "NACHLASS_PIP_MISSING"
EGG = re.compile(r"[#&]egg=([\w.-]+)")
WHEEL_OR_SDIST = re.compile(r"([\w.]+?)-\d[^/]*\.(whl|zip|tar\.gz)$")


@dataclass(frozen=True)
class Wanted:
    """A requirement to install, and the word of the command line it comes from."""

    text: str
    word: str


def install(options: Sequence[tuple[str, str]], words: Sequence[str]) -> int:
    """Report for every requirement whether it is installed; return 1 if any is not."""
    wanted = [Wanted(word, word) for word in words]
    for name, value in options:
        if name in ("-r", "--requirement"):
            wanted += [Wanted(text, value) for text in _listed(Path(value))]
        elif name in ("-e", "--editable"):
            wanted.append(Wanted(value, value))
    quiet = any(name in ("-q", "--quiet") for name, _ in options)
    missing = [want for want in wanted if not _is_met(want.text, quiet=quiet)]
    for want in missing:
        warn(f"ERROR: {want.text} is not in the lock, and the environment of this build is locked")
        _record(want)
    return 1 if missing else 0


def _listed(path: Path, seen: frozenset[Path] = frozenset()) -> Iterator[str]:
    """Yield the requirements of a file and of the files it includes."""
    here = path.resolve()
    if here in seen:
        return
    text = re.sub(r"\\\n", " ", path.read_text(encoding="utf-8-sig"))
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).strip()  # noqa: PLW2901
        if line.startswith("-"):
            for name, value in split_words(line.split())[0]:
                if name in ("-r", "--requirement"):
                    yield from _listed(path.parent / value, seen | {here})
                elif name in ("-e", "--editable"):
                    yield value
        elif line:
            line = re.sub(r"\s--(hash|config-settings|global-option)\b.*$", "", line)  # noqa: PLW2901
            yield " ".join(line.split())


def _is_met(text: str, *, quiet: bool) -> bool:
    """Return whether a requirement is already satisfied."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        name = _name_of(text)
        return _is_importable(text) or (name is not None and _version(name) is not None)
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    # No service needs pip, and notebooks often begin by upgrading it.
    if canonicalize_name(requirement.name) == "pip":
        return True
    version = _version(requirement.name)
    if version is None or not _is_new_enough(requirement, version):
        return False
    if not quiet:
        differs = not requirement.specifier.contains(version, prereleases=True)
        note = f" (kept instead of {requirement.specifier})" if differs else ""
        say(f"already in the lock: {requirement.name} {version}{note}")
    return True


def _is_new_enough(requirement: Requirement, version: str) -> bool:
    """Return whether a version satisfies a requirement or exceeds it.

    If two sources differ, the builder locks the higher version, so a version above this
    requirement is intended.
    """
    for specifier in requirement.specifier:
        if specifier.contains(version, prereleases=True):
            continue
        if specifier.operator not in ("==", "<", "<=", "~="):
            return False
        if Version(version) < Version(specifier.version.removesuffix(".*")):
            return False
    return True


def _version(name: str) -> str | None:
    """Return the installed version of a distribution."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _name_of(text: str) -> str | None:
    """Return the distribution that a folder, file or URL would install, if known."""
    if match := EGG.search(text) or WHEEL_OR_SDIST.search(text):
        return match[1]
    folder = Path(re.sub(r"\[[^]]*\]$", "", text.removeprefix("file://")))
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        return str(project["project"]["name"])
    except (OSError, ValueError, KeyError):
        return installed_from(text)


def _is_importable(folder: str) -> bool:
    """Return whether a folder of the repository is on the import path, which is as good."""
    here = Path(re.sub(r"\[[^]]*\]$", "", folder)).resolve()
    found = {Path(entry).resolve() for entry in sys.path}
    return here in found or here / "src" in found


def _record(want: Wanted) -> None:
    """Record a missing requirement for the builder, without its credentials."""
    path = os.environ.get(MISSING_VARIABLE)
    if path:
        entry = {"requirement": want.text, "word": want.word, "remedy": _remedy(want.text)}
        shown = {name: redacted(text) for name, text in entry.items()}
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(shown) + "\n")


def _remedy(text: str) -> str:
    """Return a requirement as written in `requirements`: `["seaborn", "0.13"]` or a string."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        name = EGG.search(text)
        return json.dumps(f"{name[1] if name else 'its name'} @ {text.partition('#')[0]}")
    if str(requirement) == requirement.name:
        return json.dumps([requirement.name])
    for pin in requirement.specifier:
        if str(requirement) == f"{requirement.name}=={pin.version}":
            return json.dumps([requirement.name, pin.version])
    return json.dumps(str(requirement))
