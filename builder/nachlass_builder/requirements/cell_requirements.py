"""Requirements in the PEP 723 blocks and pip lines of cells."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path, PurePosixPath

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.notebook.notebook import Cell, Notebook
from nachlass_builder.requirements.line_numbers import toml_place
from nachlass_builder.requirements.requirement import Requirement
from nachlass_builder.requirements.requirements_txt import Listed, read_words
from nachlass_builder.requirements.shell_line import commands_of, without_heredocs
from nachlass_builder.requirements.typed_values import text_at, texts_at
from nachlass_builder.requirements.unmet import unmet_in_block

# The pattern of PEP 723.
SCRIPT_BLOCK = re.compile(r"^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$", re.MULTILINE)
INSTALLERS = "pip conda mamba uv apt apt-get yum dnf brew"
SHELL_LINE = re.compile(
    rf"\s*(?:(?:[\w, ]+=)?\s*!!?|%(?=\s*(?:{'|'.join(INSTALLERS.split())})\b)"
    r"|(?=pip\s+install\s))(?P<line>.*)",
    re.DOTALL,
)
"""A shell line of IPython, or an installing magic, with or without its percent sign."""
PYTHON = re.compile(r"[{$]*sys\.executable\}?|(?:.*/)?(?:python[\d.]*|py)")
PIP = re.compile(r"(?:.*/)?pip[\d.]*|\{pip\}")
SYSTEM = frozenset(INSTALLERS.split()[1:]) - {"uv"}


def read_script_block(
    notebook: Notebook, notes: list[str]
) -> tuple[list[Requirement], str | None, Place]:
    """Read the notebook's PEP 723 block: dependencies, requires-python and its place.

    Settings without effect are added to `notes`.
    """
    found: list[Requirement] = []
    requires_python, where = None, notebook.place()
    for cell in notebook.cells:
        for match in SCRIPT_BLOCK.finditer(cell.source):
            first = cell.source.count("\n", 0, match.start()) + 1
            place = notebook.place(cell, first)
            lines = match["content"].splitlines()
            text = "\n".join(line[2:] if line.startswith("# ") else line[1:] for line in lines)
            try:
                content = tomllib.loads(text)
            except tomllib.TOMLDecodeError as error:
                raise RequirementsError(
                    f"the `# /// script` block is not valid TOML: {error}", place=place
                ) from None
            notes += unmet_in_block(content, place)
            found += [
                Requirement.parse(entry, place)
                for entry in texts_at(content, "dependencies", place)
            ]
            if "requires-python" in content:
                line = toml_place("", text, "", "requires-python").line or 0
                where = notebook.place(cell, first + line)
                requires_python = text_at(content, "requires-python", where)
    return found, requires_python, where


def read_pip_lines(root: Path, notebook: Notebook) -> Listed:
    """Read the `%pip install` and `!pip install` lines of a notebook.

    A line whose words are computed at run time (`{name}`, `$name`) is only noted: it is
    checked again when the cell is executed.
    """
    listed = Listed()
    folder = str(PurePosixPath(notebook.name).parent)
    for cell in notebook.cells:
        for number, line in _logical_lines(cell):
            place = notebook.place(cell, number)
            for command in _commands_of(line, place):
                if command[0] in SYSTEM and _without_options(command[1:])[:1] == ["install"]:
                    listed.notes.append(
                        f"{place}: `{command[0]} install` has no effect in a build; "
                        "add PyPI packages to `requirements`"
                    )
                words = _given_to_pip(command)
                if any(re.search(r"[{}$`]", word) for word in words):
                    listed.notes.append(
                        f"{place}: the packages of this pip line are known only at build time"
                    )
                else:
                    read_words(root, folder, words, place, listed)
    return listed


def _commands_of(line: str, place: Place) -> list[list[str]]:
    """Return the shell commands of a cell's line, each starting with its program."""
    match = SHELL_LINE.fullmatch(line)
    if not match:
        return []
    found: list[list[str]] = []
    try:
        found.extend(filter(None, commands_of(match["line"])))
    except ValueError as error:
        if "install" in line and not any(map(_given_to_pip, found)):
            raise RequirementsError(f"cannot parse the pip line: {error}", place=place) from None
    return found


def _given_to_pip(command: list[str]) -> list[str]:
    """Return the arguments that a command passes to pip's or uv's install; else none."""
    words = command
    if PYTHON.fullmatch(words[0]) and words[1:2] == ["-m"]:
        words = words[2:]
    is_uv = words[:1] == ["uv"]
    words = words[1:] if is_uv else words
    if words and PIP.fullmatch(words[0]):
        words, command_name = words[1:], "install"
    elif is_uv:
        command_name = "add"
    else:
        return []
    rest = _without_options(words)
    return [*words[: len(words) - len(rest)], *rest[1:]] if rest[:1] == [command_name] else []


def _without_options(words: list[str]) -> list[str]:
    """Drop the leading options."""
    return [*dropwhile(lambda word: word.startswith("-"), words)]


def _logical_lines(cell: Cell) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines of a cell, with continued lines joined.

    Lines of a `%%bash` cell are treated as if each began with an exclamation mark.
    """
    lines = cell.source.splitlines()
    shell = bool(re.match(r"\s*%%(bash|sh|script|!)", cell.source))
    lines = without_heredocs(lines) if shell else lines
    joined, first = "", 0
    for number, line in enumerate(lines, start=1):
        first = first or number
        if line.rstrip().endswith("\\"):
            joined += line.rstrip()[:-1] + " "
            continue
        text = joined + line
        yield first, f"!{text}" if shell else text
        joined, first = "", 0
