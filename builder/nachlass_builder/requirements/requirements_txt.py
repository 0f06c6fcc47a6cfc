"""Requirements in pip's format: files, the files they include, and pip command lines."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NoReturn
from urllib.parse import urlsplit

from packaging.utils import InvalidSdistFilename, parse_sdist_filename

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.foundation.settings import unquote
from nachlass_builder.foundation.text_file import read_text
from nachlass_builder.requirements.pip_options import without_effect
from nachlass_builder.requirements.requirement import Requirement
from nachlass_builder.requirements.requirement_hashes import Hashed, split_hashes

ARCHIVES = (".whl", ".tar.gz", ".zip")
OPTIONS_WITH_VALUE = frozenset(
    "-i --index-url --extra-index-url -f --find-links --trusted-host --no-binary --only-binary"
    " --timeout --retries --cert --proxy --python-version --platform -t --target --prefix --root"
    " --src --upgrade-strategy --progress-bar --cache-dir --log --exists-action -C"
    " --config-settings --global-option --use-feature --root-user-action --report".split()
)
"""pip options whose value is the next word."""


@dataclass
class Listed:
    """The contents of a requirements file or a pip command line.

    `options` are pip's options for the index; `constraints` the lines of `-c` files;
    `local` the repository's own folders (`-e .`), which are imported from the source
    rather than installed; `notes` what was ignored; `hashes` the values of `--hash`;
    `require_hashes` the place of a `--require-hashes`; `files` the files already read,
    which ends the recursion of files that include each other.
    """

    requirements: list[Requirement] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    local: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    hashes: list[Hashed] = field(default_factory=list)
    require_hashes: Place | None = None
    files: set[str] = field(default_factory=set)


def read_requirements_txt(root: Path, name: str) -> Listed:
    """Read a file in pip's format, including the files it refers to."""
    listed = Listed()
    _read_file(root, name, listed, constraint=False)
    return listed


def read_words(root: Path, folder: str, words: Sequence[str], place: Place, listed: Listed) -> None:
    """Add the words of one pip line (requirements and options) to `listed`.

    Paths are relative to `folder`, which is relative to `root`.
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
        listed.notes += without_effect(option, place)
        if option in _FILE_OPTIONS and value:
            _follow(option, value, root, folder, place, listed)
        elif option == "--require-hashes":
            listed.require_hashes = listed.require_hashes or place
        elif option in OPTIONS_WITH_VALUE:
            listed.options += [option, value]
        elif option in ("--no-index", "--pre", "--prefer-binary"):
            listed.options.append(option)


def read_constraint_hashes(path: Path) -> Iterator[Hashed]:
    """Yield the hashes in a constraints file that pip's settings name."""
    for number, line in logical_lines(read_text(Path(), str(path), RequirementsError)):
        text, digests = split_hashes(line)
        if digests:
            yield Hashed(Requirement.parse(text, Place(str(path), line=number)), digests)


_FILE_OPTIONS = {
    "-r": "requirement",
    "--requirement": "requirement",
    "-c": "constraint",
    "--constraint": "constraint",
    "-e": "editable",
    "--editable": "editable",
}


def _follow(option: str, value: str, root: Path, folder: str, place: Place, listed: Listed) -> None:
    """Handle -r, -c or -e."""
    match _FILE_OPTIONS[option]:
        case "editable":
            _add(value, folder, place, listed)
        case kind:
            path = os.path.normpath(os.path.join(folder, value))  # noqa: PTH118 - of text
            is_inside = not path.startswith(("../", "/"))
            if not (is_inside and (root / path).is_file()):
                raise RequirementsError(
                    f"{option} {value}: no such file in the source", place=place
                )
            _read_file(root, path, listed, constraint=kind == "constraint")


def _read_file(root: Path, name: str, listed: Listed, *, constraint: bool) -> None:
    """Read one file, unless it has already been read."""
    if name in listed.files:
        return
    listed.files.add(name)
    folder = str(PurePosixPath(name).parent)
    for number, line in logical_lines(read_text(root, name, RequirementsError)):
        place = Place(name, line=number)
        if constraint and not line.startswith("-"):
            text, digests = split_hashes(line)
            text = _without_options(text, place, listed)
            listed.constraints.append(text)
            if digests:
                listed.hashes.append(Hashed(Requirement.parse(text, place), digests))
        else:
            read_line(root, folder, line, place, listed)


def read_line(root: Path, folder: str, line: str, place: Place, listed: Listed) -> None:
    """Read a line with a requirement and its hashes, or with an option."""
    text, digests = split_hashes(line)
    if digests and not text:
        raise RequirementsError(
            "this hash belongs to no requirement",
            place=place,
            remedy="end the previous line with a backslash",
        )
    if not text.startswith("-"):
        text = _without_options(text, place, listed)
    before = len(listed.requirements)
    read_words(root, folder, _words(text), place, listed)
    added = listed.requirements[before:]
    if digests and not added:
        raise RequirementsError(
            "a folder has no hash to check", place=place, remedy="remove the hash"
        )
    listed.hashes += [Hashed(requirement, digests) for requirement in added if digests]


def logical_lines(content: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a pip file: continued lines joined, comments and blanks dropped."""
    joined, first = "", 0
    for number, line in enumerate(content.splitlines(), start=1):
        first = first or number
        stripped = re.sub(r"(^|\s)#.*$", "", line).strip()
        if stripped.endswith("\\"):
            joined += stripped[:-1] + " "
            continue
        if text := (joined + stripped).strip():
            yield first, text
        joined, first = "", 0
    if joined.strip():
        yield first, joined.strip()


def _words(line: str) -> list[str]:
    """Split a logical line into words: options are split, a requirement is kept whole."""
    return (
        re.split(r"[ =]", line, maxsplit=1)
        if line.startswith("--") and " " in line
        else (line.split(maxsplit=1) if line.startswith("-") else [line])
    )


def _without_options(line: str, place: Place, listed: Listed) -> str:
    """Drop the options after a requirement, and note those that have no effect."""
    text, *options = re.split(r"\s(?=--)", line)
    for option in options:
        listed.notes += without_effect(re.split(r"[ =]", option)[0], place)
    return text.strip()


def _add(text: str, folder: str, place: Place, listed: Listed) -> None:
    """Add a requirement, a link, an archive's path, or a local folder."""
    text = unquote(text.strip())
    if re.fullmatch(r"(git|hg|svn|bzr)\+\S+|https?://\S+|file://\S+", text):
        listed.requirements.append(
            Requirement.parse(f"{_name_of_link(text, place)} @ {text}", place)
        )
    elif text.endswith(ARCHIVES) and "@" not in text:
        name = _name_of_archive(PurePosixPath(text).name) or _reject_nameless(text, place)
        path = PurePosixPath(folder) / text
        listed.requirements.append(Requirement.parse(f"{name} @ {path}", place))
    elif re.match(r"\.{1,2}($|[/\[])|/", text):
        bare, bracket, _extras = text.partition("[")
        listed.local.append(str(PurePosixPath(folder) / bare))
        if bracket:
            listed.notes.append(
                f"{place}: the extras of {text} are not installed: list their requirements"
            )
    else:
        listed.requirements.append(Requirement.parse(text, place))


def _name_of_link(link: str, place: Place) -> str:
    """Return the distribution of a bare link, from its egg fragment, archive or repository."""
    try:
        parts = urlsplit(link)
    except ValueError as error:
        raise RequirementsError(f"{link} is not a URL: {error}", place=place) from None
    egg = re.search(r"egg=([\w.-]+)", parts.fragment)
    if egg:
        return egg[1]
    last = PurePosixPath(parts.path.partition("@")[0]).name
    name = _name_of_archive(last) if last.endswith(ARCHIVES) else last.removesuffix(".git")
    return name or _reject_nameless(link, place)


def _name_of_archive(file: str) -> str:
    """Return the distribution of a wheel or source archive; empty if its name has none."""
    if file.endswith(".whl"):
        return file.partition("-")[0]
    try:
        return parse_sdist_filename(file)[0]
    except InvalidSdistFilename:  # such as main.zip, a forge's archive of a branch
        return ""


def _reject_nameless(link: str, place: Place) -> NoReturn:
    raise RequirementsError(
        f"{link} does not name a distribution", place=place, remedy=f"write it as NAME @ {link}"
    )
