"""Reads requirements.txt, pyproject.toml and environment.yml. Builder environment."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import yaml

from nachlass_builder.errors import Place, RequirementsError
from nachlass_builder.requirement import Requirement
from nachlass_builder.settings import unquote

OPTIONS_WITH_VALUE = frozenset(
    "-i --index-url --extra-index-url -f --find-links --trusted-host --no-binary --only-binary"
    " --timeout --retries --cert --proxy --python-version --platform -t --target --prefix --root"
    " --src --upgrade-strategy --progress-bar --cache-dir --log --exists-action -C"
    " --config-settings --global-option --use-feature --root-user-action --report".split()
)
"""pip's options whose value is the next word."""


@dataclass
class Listed:
    """What a requirements file, or a command line of pip, lists.

    `options` are pip's options for the index; `constraints` the lines of `-c`
    files; `local` the repository's own folders (`-e .`), which are imported
    from the source rather than installed; `notes` what was passed over; `files`
    what has been read, which ends the recursion of files that include each other.
    """

    requirements: list[Requirement] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    local: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: set[str] = field(default_factory=set)


def read_requirements_txt(root: Path, name: str) -> Listed:
    """Read a file in pip's format, with the files it includes."""
    listed = Listed()
    _read_file(root, name, listed, constraint=False)
    return listed


def read_words(root: Path, folder: str, words: Sequence[str], place: Place, listed: Listed) -> None:
    """Add the words of one pip line (requirements and options) to `listed`.

    Paths are taken relative to `folder`, itself relative to `root`.
    """
    remaining = list(words)
    while remaining:
        word = remaining.pop(0)
        option, equals, value = word.partition("=")
        if not word.startswith("-"):
            _add(word, folder, place, listed)
            continue
        if not equals and (option in OPTIONS_WITH_VALUE or option in _FILE_OPTIONS):
            value = remaining.pop(0) if remaining else ""
        elif len(word) > 2 and word[:2] in _FILE_OPTIONS and word[1] != "-":  # noqa: PLR2004
            option, value = word[:2], word[2:]
        if option in _FILE_OPTIONS and value:
            _follow(option, value, root, folder, place, listed)
        elif option in OPTIONS_WITH_VALUE:
            listed.options += [option, value]
        elif option in ("--no-index", "--pre", "--prefer-binary"):
            listed.options.append(option)


def read_pyproject(root: Path, name: str) -> list[Requirement]:
    """Read `[project] dependencies`."""
    text = (root / name).read_text(encoding="utf-8")
    try:
        project = tomllib.loads(text).get("project", {})
    except tomllib.TOMLDecodeError as error:
        raise RequirementsError(f"the file is not TOML: {error}", place=Place(name)) from None
    return [
        Requirement.parse(entry, _place(name, text, entry))
        for entry in project.get("dependencies", ())
    ]


def requires_python(root: Path, name: str) -> tuple[str | None, Place]:
    """Read `[project] requires-python`, and its place."""
    text = (root / name).read_text(encoding="utf-8")
    specifier = tomllib.loads(text).get("project", {}).get("requires-python")
    return specifier, _place(name, text, "requires-python")


def read_environment_yml(root: Path, name: str) -> Listed:
    """Read the pip part of a conda environment file; what only conda installs is noted."""
    text = (root / name).read_text(encoding="utf-8")
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RequirementsError(f"the file is not YAML: {error}", place=Place(name)) from None
    listed = Listed()
    conda: list[str] = []
    dependencies = content.get("dependencies") if isinstance(content, dict) else None
    for entry in dependencies or ():
        if isinstance(entry, dict):
            for line in entry.get("pip") or ():
                place = _place(name, text, str(line))
                read_words(root, str(PurePosixPath(name).parent), _words(str(line)), place, listed)
        elif re.split(r"[=<>! ]", str(entry))[0] not in ("python", "pip"):
            conda.append(str(entry))
    if conda:
        listed.notes.append(
            f"{name}: its conda packages are not installed ({', '.join(conda)}); "
            "name those the notebook needs under `pip:`"
        )
    return listed


_FILE_OPTIONS = {
    "-r": "requirement",
    "--requirement": "requirement",
    "-c": "constraint",
    "--constraint": "constraint",
    "-e": "editable",
    "--editable": "editable",
}


def _follow(option: str, value: str, root: Path, folder: str, place: Place, listed: Listed) -> None:
    """Act on -r, -c or -e."""
    match _FILE_OPTIONS[option]:
        case "editable":
            _add(value, folder, place, listed)
        case kind:
            path = os.path.normpath(os.path.join(folder, value))  # noqa: PTH118 - of text
            if path.startswith("..") or not (root / path).is_file():
                raise RequirementsError(
                    f"{option} {value}: there is no such file in the source", place=place
                )
            _read_file(root, path, listed, constraint=kind == "constraint")


def _read_file(root: Path, name: str, listed: Listed, *, constraint: bool) -> None:
    """Read one file, unless it has been read."""
    if name in listed.files:
        return
    listed.files.add(name)
    folder = str(PurePosixPath(name).parent)
    for number, line in _lines((root / name).read_text(encoding="utf-8-sig")):
        if constraint and not line.startswith("-"):
            listed.constraints.append(_without_hashes(line))
        else:
            read_words(root, folder, _words(line), Place(name, line=number), listed)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The logical lines of a pip file: continued lines joined, comments and blanks dropped."""
    joined, first = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        first = first or number
        stripped = re.sub(r"(^|\s)#.*$", "", line).strip()
        if stripped.endswith("\\"):
            joined += stripped[:-1] + " "
            continue
        if joined + stripped:
            yield first, (joined + stripped).strip()
        joined, first = "", 0
    if joined.strip():
        yield first, joined.strip()


def _words(line: str) -> list[str]:
    """The words of a logical line: options split, a requirement kept whole, hashes dropped."""
    line = _without_hashes(line)
    return (
        re.split(r"[ =]", line, maxsplit=1)
        if line.startswith("--") and " " in line
        else (line.split(maxsplit=1) if line.startswith("-") else [line])
    )


def _without_hashes(line: str) -> str:
    """Drop `--hash` and other options behind a requirement: the lock has hashes of its own."""
    return line if line.startswith("-") else re.split(r"\s--", line, maxsplit=1)[0].strip()


def _add(text: str, folder: str, place: Place, listed: Listed) -> None:
    """Add one requirement, a link, an archive's path, or a local folder."""
    text = unquote(text.strip())
    if re.fullmatch(r"(git|hg|svn|bzr)\+\S+|https?://\S+|file://\S+", text):
        listed.requirements.append(
            Requirement.parse(f"{_name_of_link(text, place)} @ {text}", place)
        )
    elif text.endswith((".whl", ".tar.gz", ".zip")) and "@" not in text:
        name = PurePosixPath(text).name.split("-")[0]
        path = PurePosixPath(folder) / text
        listed.requirements.append(Requirement(f"{name} @ {path}", place))
    elif re.match(r"\.{1,2}($|[/\[])|/", text):
        listed.local.append(str(PurePosixPath(folder) / re.sub(r"\[.*\]$", "", text)))
    else:
        listed.requirements.append(Requirement.parse(text, place))


def _name_of_link(link: str, place: Place) -> str:
    """The distribution a bare link is of: its egg fragment, archive or repository name."""
    parts = urlsplit(link)
    egg = re.search(r"egg=([\w.-]+)", parts.fragment)
    if egg:
        return egg[1]
    last = PurePosixPath(parts.path.partition("@")[0]).name
    name = last.split("-")[0] if last.endswith((".whl", ".tar.gz", ".zip")) else last
    name = name.removesuffix(".git")
    if not name:
        raise RequirementsError(
            f"{link} names no distribution", place=place, remedy=f"write it as NAME @ {link}"
        )
    return name


def _place(name: str, text: str, entry: Any) -> Place:
    """The line of a TOML or YAML file that holds an entry."""
    for number, line in enumerate(text.splitlines(), start=1):
        if str(entry) in line:
            return Place(name, line=number)
    return Place(name)
