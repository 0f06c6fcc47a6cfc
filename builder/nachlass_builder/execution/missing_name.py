"""Explains undefined names."""

from __future__ import annotations

import builtins
from difflib import get_close_matches

from nachlass_builder.notebook.bindings import names_bound
from nachlass_builder.notebook.notebook import Cell, Notebook

MIN_SIMILARITY = 0.8
"""Similarity above which one name counts as a misspelling of the other."""


def explain_missing_name(name: str, notebook: Notebook, cell: Cell) -> str | None:
    """Point at the cell below that defines the name, or at a similar name."""
    defined: dict[str, int] = {}
    for other in notebook.cells:
        for bound, _ in names_bound(other.tree) if other.tree is not None else ():
            defined.setdefault(bound, other.number)
    if name not in defined:
        alike = _most_similar(name, [*defined, *dir(builtins)])
        return f"did you mean `{alike}`?" if alike else None
    if defined[name] <= cell.number:
        return None
    return (
        f"`{name}` is defined in cell {defined[name]}, below: "
        "the notebook must run from top to bottom"
    )


def _most_similar(name: str, known: list[str]) -> str | None:
    """Return the known name that is spelled most similarly, ignoring case."""
    spellings = {other.casefold(): other for other in reversed(known)}
    alike = get_close_matches(name.casefold(), spellings, n=1, cutoff=MIN_SIMILARITY)
    return spellings[alike[0]] if alike else None
