"""Requirement files that are not read, each with a command that converts it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.foundation.text_file import read_text
from nachlass_builder.requirements.typed_values import table_at

COMPILE = "uv pip compile {} -o requirements.txt"
INCLUDE_FILE = "echo '-r {}' > requirements.txt"
COMMANDS = {
    "Pipfile": "pipenv requirements > requirements.txt",
    "pdm.lock": "pdm export -o requirements.txt",
    "setup.py": COMPILE,
    "setup.cfg": COMPILE,
    "requirements.in": COMPILE,
    "requirements/base.txt": INCLUDE_FILE,
    "requirements/requirements.txt": INCLUDE_FILE,
    "requirements/prod.txt": INCLUDE_FILE,
    "binder/requirements.txt": INCLUDE_FILE,
    ".binder/requirements.txt": INCLUDE_FILE,
}
POETRY = "poetry export -o requirements.txt"


def unread_files(root: Path, nearest: Callable[[str], str | None]) -> Iterator[str]:
    """Yield a note for each file that is not read; `nearest` finds a file by its name."""
    for lock_file, command in COMMANDS.items():
        if name := nearest(lock_file):
            yield _message(name, command.format(lock_file))
    if (name := nearest("pyproject.toml")) and _uses_poetry(root, name):
        yield _message(f"[tool.poetry.dependencies] of {name}", POETRY)


def _message(subject: str, command: str) -> str:
    return f"{subject} is not read: convert it with `{command}`"


def _uses_poetry(root: Path, name: str) -> bool:
    """Return whether a pyproject.toml has its dependencies in poetry's own table."""
    document = tomllib.loads(read_text(root, name, RequirementsError))
    return "dependencies" in table_at(document, "tool", "poetry", place=Place(name))
