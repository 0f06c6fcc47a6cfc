"""The places where the cells of a notebook bind and change a name."""

from __future__ import annotations

import ast

from nachlass_builder.foundation.errors import Place
from nachlass_builder.notebook.bindings import binds_unseen, names_bound, names_changed
from nachlass_builder.notebook.notebook import Cell, Notebook


def bindings_of(notebook: Notebook, name: str) -> list[tuple[Cell, ast.stmt]]:
    """Return the statements that bind a name at the top level of a cell, in order."""
    return [
        (cell, statement)
        for cell in notebook.cells
        if cell.tree is not None
        for bound, statement in names_bound(cell.tree)
        if bound == name
    ]


def last_binding(notebook: Notebook, name: str) -> Place | None:
    """Return the place of a name's last top-level binding; None if no cell's text binds it."""
    found = bindings_of(notebook, name)
    return notebook.place(found[-1][0], found[-1][1].lineno) if found else None


def last_change(notebook: Notebook, name: str) -> Place | None:
    """Return the place where a name is last bound, deleted or changed."""
    found = [
        notebook.place(cell, statement.lineno)
        for cell in notebook.cells
        for statement in (cell.tree.body if cell.tree else ())
        if name in names_changed(statement) or getattr(statement, "name", None) == name
    ]
    return found[-1] if found else None


def may_define_unseen(notebook: Notebook) -> bool:
    """Return whether any cell may bind names that are not in its text."""
    return any(cell.tree is not None and binds_unseen(cell.tree) for cell in notebook.cells)
