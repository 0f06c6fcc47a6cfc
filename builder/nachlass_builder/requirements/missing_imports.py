"""Imports that no requirement provides, and the requirements to paste for them."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from nachlass_builder.notebook.find_names import bindings_of, last_change
from nachlass_builder.notebook.notebook import Notebook
from nachlass_builder.requirements.declared import NAME
from nachlass_builder.requirements.elsewhere import is_elsewhere
from nachlass_builder.requirements.import_names import distributions_of
from nachlass_builder.requirements.imports import Import
from nachlass_builder.requirements.requirements import Requirements

KERNEL_MODULES = frozenset({"IPython", "ipykernel", "jupyter_client", "jupyter_core", "traitlets"})
"""Modules that every kernel has and no predictor needs."""

MAX_NAMED = 5


@dataclass(frozen=True)
class MissingImport:
    """An import, and the known distributions that provide it, the usual one first."""

    imported: Import
    distributions: tuple[str, ...]


def missing_imports(imports: Iterable[Import], provided: Collection[str]) -> list[MissingImport]:
    """Return the imports that no distribution of `provided` provides, one per distribution.

    A module that is not in the table of names matches any distribution whose name begins
    with the module's: `company` may be a part of company-sdk.
    """
    found: dict[str, MissingImport] = {}
    for one in imports:
        if one.top in sys.stdlib_module_names or one.top in KERNEL_MODULES:
            continue
        if is_elsewhere(one.module):
            continue
        distributions = distributions_of(one.module)
        if distributions and not {*distributions} & {*provided}:
            found.setdefault(distributions[0], MissingImport(one, distributions))
        if not distributions and not _is_like_one_of(one.top, provided):
            found.setdefault(one.top, MissingImport(one, ()))
    return list(found.values())


def describe_imports(missing: Sequence[MissingImport]) -> str:
    """List the imports with their places, only the first few if there are many."""
    shown = [f"`{one.imported.top}` ({one.imported.place})" for one in missing[:MAX_NAMED]]
    more = [f"{len(missing) - MAX_NAMED} more"] if len(missing) > MAX_NAMED else []
    *first, last = [*shown, *more]
    return f"{', '.join(first)} and {last}" if first else last


def to_paste(
    notebooks: Sequence[Notebook], requirements: Requirements, pins: Mapping[str, str | None]
) -> str:
    """Say where the requirements belong, followed by their text; `pins` are names and versions.

    They go where the source keeps its requirements: a list in a cell, requirements.txt or
    pyproject.toml; otherwise into a new first cell.
    """
    pairs = [json.dumps([name, version] if version else name) for name, version in pins.items()]
    pinned = [f"{name}=={version}" if version else name for name, version in pins.items()]
    for notebook in reversed(notebooks):
        bound = bindings_of(notebook, NAME)
        if not bound:
            continue
        cell, statement = bound[-1]
        place = last_change(notebook, NAME) or notebook.place(cell, statement.lineno)
        match getattr(statement, "value", None):
            case ast.List():
                below = f"add a cell below {notebook.place(cell)}:"
                return _written(below, f"{NAME} += [", pairs, "]")
            case ast.Dict():
                pairs = [
                    f"{json.dumps(name)}: {json.dumps(version or '*')}"
                    for name, version in pins.items()
                ]
            case ast.Constant(value=str()):
                lines = [f"    {line}" for line in pinned]
                return "\n".join([f"add lines to `{NAME}` ({place}):", *lines])
        return _written(f"add to `{NAME}` ({place}):", None, pairs, None)
    files = [requirement.place.file for requirement in requirements.merged]
    text = next((name for name in files if name.endswith(".txt")), None)
    if text:
        hashed = requirements.require_hashes or requirements.hashes
        file_text = f"{text}, with hashes (uv pip compile --generate-hashes)" if hashed else text
        return "\n".join([f"add to {file_text}:", *(f"    {line}" for line in pinned)])
    if project := next((name for name in files if name.endswith("pyproject.toml")), None):
        quoted = [json.dumps(line) for line in pinned]
        return _written(f"add to `dependencies` in {project}:", None, quoted, None)
    first = f"paste this as the first cell of {notebooks[0].name}:"
    return _written(first, f"{NAME} = [", pairs, "]")


def _written(heading: str, opening: str | None, entries: Sequence[str], closing: str | None) -> str:
    """Write one entry per line, each with a comma, between brackets if they are given."""
    inner = "        " if opening else "    "
    lines = [f"{inner}{entry}," for entry in entries]
    around = [f"    {opening}", *lines, f"    {closing}"] if opening else lines
    return "\n".join([heading, *around])


def _is_like_one_of(module: str, provided: Collection[str]) -> bool:
    """Return whether a distribution has the module's name, or one that begins with it."""
    name = canonicalize_name(module)
    return any(f"{other}-".startswith(f"{name}-") for other in provided)
