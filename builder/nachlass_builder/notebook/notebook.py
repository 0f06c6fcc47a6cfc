"""Notebooks and their cells, as read from files."""

from __future__ import annotations

import ast
import json
import re
import warnings
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode
from nbformat.warnings import DuplicateCellId, MissingIDFieldWarning

from nachlass_builder.foundation.errors import NotebookError, Place, SourceError
from nachlass_builder.foundation.text_file import read_text

SKIP_TAG = "skip-execution"
TRANSPARENT_MAGICS = frozenset({"capture", "prun", "time"})
"""Cell magics whose body runs in the notebook's namespace."""

AUTOMAGIC = frozenset(
    "alias autoreload cat cd conda config cp env killbgscripts ldir less ll load load_ext ls"
    " lsmagic mamba man matplotlib mkdir more mv pip pwd pylab reload_ext rm rmdir run sx system"
    " tb time timeit uv who whos".split()
)
"""Line magics that IPython accepts without a percent sign."""

PYTHON_2_MESSAGES = (
    "Missing parentheses in call to 'print'",
    "Missing parentheses in call to 'exec'",
    "multiple exception types must be parenthesized",
    "leading zeros in decimal integer literals are not permitted",
)
"""Messages of Python 3 about syntax that only Python 2 had."""

PYTHON_2_LINE = re.compile(r"\s*raise\s+[\w.]+\s*,|.*`[^`]+`|.*<>")
"""Syntax of Python 2 that Python 3 only reports as invalid."""


@dataclass(frozen=True)
class Cell:
    """A code cell that is not blank.

    `is_skipped` and `may_raise` come from tags: it is not executed, or may fail. `number` is
    the one Jupyter shows after "Restart and run all"; `tree` is None if the cell is not
    Python (`%%bash`) or does not parse (`problem`).
    """

    number: int
    source: str
    may_raise: bool
    tree: ast.Module | None
    problem: SyntaxError | None = None
    is_skipped: bool = False


@dataclass(frozen=True)
class Notebook:
    """A notebook as nbformat 4: its path from the source's root, and its code cells."""

    name: str
    node: NotebookNode
    cells: tuple[Cell, ...]

    def place(self, cell: Cell | None = None, line: int | None = None) -> Place:
        """Return the place of the notebook, a cell, or a line of it."""
        return Place(self.name, None if cell is None else cell.number, line)


def read_notebook(root: Path, name: str) -> Notebook:
    """Read the notebook `name` below `root`, of format 3 or 4; raise NotebookError."""
    try:
        text = read_text(root, name, NotebookError)
    except OSError as error:
        raise SourceError(f"{name} cannot be read: {error.strerror}", place=Place(name)) from error
    content = _parse_json(text, name)
    _reject_other_languages(content, name)
    node = _as_version_4(text, content["nbformat"], name)
    _settle_ids(node, content)
    sources = [
        (cell.source, frozenset(cell.metadata.get("tags", ())))
        for cell in node.cells
        if cell.cell_type == "code" and cell.source.strip()
    ]
    cells = tuple(
        replace(
            _parse_cell(number, source, may_raise="raises-exception" in tags),
            is_skipped=SKIP_TAG in tags,
        )
        for number, (source, tags) in enumerate(sources, start=1)
    )
    return Notebook(name, node, cells)


def syntax_error(notebook: Notebook, cell: Cell) -> NotebookError | None:
    """Return the error for a cell that is not Python 3, or None if it parses (or may fail)."""
    if cell.problem is None or cell.may_raise:
        return None
    place = notebook.place(cell, cell.problem.lineno)
    message = cell.problem.msg
    line = source_line(cell.source, cell.problem.lineno)
    details = None if line is None else f"{cell.problem.lineno} | {line}"
    if message.startswith(PYTHON_2_MESSAGES) or PYTHON_2_LINE.match(line or ""):
        return NotebookError(
            f"the cell is Python 2 code: {message}",
            place=place,
            details=details,
            remedy="rewrite it for Python 3; `2to3` or `futurize` does most of it",
        )
    return NotebookError(
        f"the cell has a syntax error: {message}",
        place=place,
        details=details,
        remedy="fix the cell, or delete it: every cell is executed",
    )


def source_line(source: str, number: int | None) -> str | None:
    """Return a line of a cell's source, counted from 1; None if there is no such line."""
    lines = source.splitlines()
    return lines[number - 1] if number is not None and 0 < number <= len(lines) else None


def _parse_json(text: str, name: str) -> dict[str, Any]:
    """Decode the file, with a specific error for merge markers."""
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        marker = re.search(r"^(<{7}|>{7}|\|{7})( |$)", text, re.MULTILINE)
        if marker:
            raise NotebookError(
                "the notebook contains the markers of an unfinished git merge",
                place=Place(name, line=text.count("\n", 0, marker.start()) + 1),
                remedy="finish the merge; `nbdime` merges notebooks cell by cell",
            ) from None
        line, message = getattr(error, "lineno", None), getattr(error, "msg", str(error))
        error_message = f"the notebook is not valid JSON: {message}"
        if not text.strip():
            line, error_message = None, "the file is empty"
        elif getattr(error, "pos", 0) >= len(text.rstrip()):
            error_message = "the notebook is not valid JSON: the file is truncated"
        raise NotebookError(
            error_message,
            place=Place(name, line=line),
            remedy="save it from Jupyter again, or restore it from git",
        ) from None
    if not isinstance(content, dict) or not isinstance(content.get("nbformat"), int):
        raise NotebookError(
            "the file is JSON, but not a notebook: it has no `nbformat`",
            place=Place(name),
            remedy=("restore it from git, or set S2I_SOURCE_NOTEBOOK to the right notebook"),
        )
    return content


def _reject_other_languages(content: dict[str, Any], name: str) -> None:
    """Reject a notebook whose kernel is certainly not Python."""
    metadata = content.get("metadata") or {}
    kernelspec = metadata.get("kernelspec") or {}
    language = (metadata.get("language_info") or {}).get("name") or kernelspec.get("language")
    if not language or language.lower() in ("python", "ipython"):
        return
    kernel = kernelspec.get("display_name") or kernelspec.get("name") or language
    raise NotebookError(
        f"the notebook is written for another language: {language} (kernel {kernel!r})",
        place=Place(name),
        remedy="Nachlass serves only Python 3 notebooks",
    )


def _as_version_4(text: str, version: int, name: str) -> NotebookNode:
    """Upgrade to nbformat 4.5 with cell ids, and validate."""
    if version not in (3, 4):
        raise NotebookError(
            f"the notebook's format is {version}; only 3 and 4 are supported",
            place=Place(name),
            remedy="open it in a current Jupyter and save it",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MissingIDFieldWarning)
            warnings.simplefilter("ignore", DuplicateCellId)
            node: NotebookNode = nbformat.convert(nbformat.reader.reads(text), 4)
            _, node = nbformat.validator.normalize(node)
        nbformat.validate(node)
    except (nbformat.ValidationError, AttributeError, KeyError, TypeError, ValueError) as error:
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise NotebookError(
            f"the notebook is damaged: {message}",
            place=Place(name),
            remedy="open it in Jupyter and save it, or restore it from git",
        ) from error
    return node


def _settle_ids(node: NotebookNode, content: dict[str, Any]) -> None:
    """Replace nbformat's generated ids, which are random, with the cells' positions."""
    own = {cell.get("id") for cell in content.get("cells", ())}
    for position, cell in enumerate(node.cells, start=1):
        if "id" in cell and cell.id not in own:
            cell.id = next(name for n in count(position) if (name := f"cell-{n}") not in own)
            own.add(cell.id)


def _parse_cell(number: int, source: str, *, may_raise: bool) -> Cell:
    """Parse a cell's Python, including the body of magics that run it in place."""
    body, skipped = source, 0
    while match := re.match(r"\s*%%(\w+)[^\n]*(?:\n|$)|[ \t]*\n", body):
        if match[1] and match[1] not in TRANSPARENT_MAGICS:
            return Cell(number, source, may_raise, None)
        body = body[match.end() :]
        skipped += match[0].count("\n")
    # IPython drops leading blank lines; comments preserve the line numbers.
    body = "#\n" * skipped + body
    try:
        return Cell(number, source, may_raise, _parse_python(body))
    except SyntaxError as problem:
        return Cell(number, source, may_raise, None, problem)


def _parse_python(source: str) -> ast.Module:
    """Parse the code as IPython does, which also accepts magics without a percent sign."""
    lines = source.split("\n")
    while True:
        transformed = TransformerManager().transform_cell("\n".join(lines))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                warnings.simplefilter("ignore", DeprecationWarning)
                flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
                tree = compile(transformed, "<cell>", "exec", flags, dont_inherit=True)
        except SyntaxError as problem:
            at = (problem.lineno or 0) - 1
            words = lines[at].split(maxsplit=1) if 0 <= at < len(lines) else []
            if not words or words[0] not in AUTOMAGIC:
                raise
            lines[at] = "%" + lines[at].lstrip()
        except RecursionError as problem:
            raise SyntaxError("the code is nested too deeply") from problem
        except ValueError as problem:  # a NUL byte
            raise SyntaxError(str(problem)) from problem
        else:
            assert isinstance(tree, ast.Module)
            return tree
