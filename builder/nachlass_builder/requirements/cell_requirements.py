"""Reads the PEP 723 blocks and pip lines of cells."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path, PurePosixPath

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.notebook.notebook import Cell, Notebook
from nachlass_builder.requirements.requirement import Requirement
from nachlass_builder.requirements.requirements_txt import Listed, read_words
from nachlass_builder.requirements.typed_values import text_at, texts_at
from nachlass_builder.requirements.unmet import unmet_in_block

# The pattern of PEP 723.
SCRIPT_BLOCK = re.compile(r"^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$", re.MULTILINE)
PIP_INSTALL = re.compile(
    r"^\s*(?:[%!]\s*|pip)"
    r"(?:(?:\{?sys\.executable\}?|\S*python[\d.]*)\s+-m\s+)?"
    r"(?:uv\s+)?(?:(?<=pip)|pip[\d.]*)\s+install\s+(?P<words>.*)$"
)
SYSTEM_INSTALL = re.compile(
    r"^\s*[%!]\s*(?:sudo\s+)?(conda|mamba|apt|apt-get|yum|dnf|brew)\s+install"
)
# An angle bracket inside a word is part of a requirement: numpy>=2.
OF_SHELL = re.compile(r"[;&|]|\d?[<>]")


def read_script_block(
    notebook: Notebook, notes: list[str]
) -> tuple[list[Requirement], str | None, Place]:
    """Read the notebook's PEP 723 block: dependencies, requires-python and the latter's place.

    What has no effect is added to `notes`.
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
                    f"the `# /// script` block is not TOML: {error}", place=place
                ) from None
            notes += unmet_in_block(content, place)
            found += [
                Requirement.parse(entry, place)
                for entry in texts_at(content, "dependencies", place)
            ]
            if "requires-python" in content:
                line = next((n for n, text in enumerate(lines, 1) if "requires-python" in text), 0)
                where = notebook.place(cell, first + line)
                requires_python = text_at(content, "requires-python", where)
    return found, requires_python, where


def read_pip_lines(root: Path, notebook: Notebook) -> Listed:
    """Read the `%pip install` and `!pip install` lines of a notebook.

    A line that builds its words while it runs (`{name}`, `$name`) is noted: pip
    is asked again when the cell is executed.
    """
    listed = Listed()
    folder = str(PurePosixPath(notebook.name).parent)
    for cell in notebook.cells:
        for number, line in _logical_lines(cell):
            place = notebook.place(cell, number)
            if system := SYSTEM_INSTALL.match(line):
                listed.notes.append(
                    f"{place}: `{system[1]} install` has no effect in a build; "
                    "what is on PyPI belongs into `requirements`"
                )
            match = PIP_INSTALL.match(line)
            if not match:
                continue
            try:
                words = _before_shell(re.sub(r"\s#.*$", "", match["words"]))
            except ValueError as error:
                raise RequirementsError(
                    f"pip's line does not parse: {error}", place=place
                ) from None
            if any(re.search(r"[{}$`]", word) for word in words):
                listed.notes.append(f"{place}: what pip installs here is known only at build")
                continue
            read_words(root, folder, words, place, listed)
    return listed


def _logical_lines(cell: Cell) -> Iterator[tuple[int, str]]:
    """The lines of a cell that may be pip's, continued lines joined, each with its number.

    A `%%bash` cell's lines count, as if each began with an exclamation mark.
    """
    lines = cell.source.splitlines()
    shell = bool(re.match(r"\s*%%(bash|sh|script|!)", cell.source))
    joined, first = "", 0
    for number, line in enumerate(lines, start=1):
        first = first or number
        if line.rstrip().endswith("\\"):
            joined += line.rstrip()[:-1] + " "
            continue
        text = joined + line
        yield first, f"!{text}" if shell else text
        joined, first = "", 0


def _before_shell(line: str) -> list[str]:
    """The words up to the first that belongs to the shell: a pipe, a redirection, `&&`."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split, lexer.commenters = True, ""
    return list(takewhile(lambda word: not OF_SHELL.match(word), lexer))
