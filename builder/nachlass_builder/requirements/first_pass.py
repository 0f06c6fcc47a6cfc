"""The first pass: run the cells that compute `requirements` in a clean interpreter."""

from __future__ import annotations

import ast
import json
import pickle
import sys
import tempfile
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

from nachlass_builder.foundation.errors import RequirementsError
from nachlass_builder.foundation.process import Deadline, run
from nachlass_builder.notebook.notebook import Notebook
from nachlass_builder.requirements.declared import Declared, parse_value
from nachlass_builder.requirements.requirement import Requirement

CHILD = Path(__file__).parent / "first_pass_child.py"
ALONE = (
    "the cells that mention `requirements` run first, on their own, with only the standard "
    "library: keep everything they need in them, or write the list as a literal"
)


def compute_requirements(
    root: Path, computed: Sequence[tuple[Notebook, Declared]], deadline: Deadline
) -> dict[tuple[str, str], list[Requirement]]:
    """Execute in order the cells that change a variable; return its value by notebook and name.

    `root` is the copy of the source; a notebook's cells run in its folder.
    """
    found = {}
    for notebook, declared in computed:
        value = _run_cells(root, notebook, declared, deadline)
        assert declared.place is not None
        found[notebook.name, declared.name] = parse_value(value, declared.place)
    return found


def _run_cells(root: Path, notebook: Notebook, declared: Declared, deadline: Deadline) -> object:
    """Run the cells in a child process and return the variable's value, decoded from JSON."""
    cells, name = declared.computed_in, declared.name
    trees = [(cell.number, _without_magics(cell.tree)) for cell in cells if cell.tree]
    with tempfile.TemporaryDirectory(prefix="nachlass-") as folder:
        answer = Path(folder) / "answer.json"
        completed = run(
            [sys.executable, "-I", "-S", CHILD, name, answer],
            doing=f"computing `{name}`",
            deadline=deadline,
            cwd=(root / notebook.name).parent,
            stdin=b64encode(pickle.dumps(trees)).decode(),
        )
        if not answer.is_file():
            raise RequirementsError(
                f"the interpreter exited while computing `{name}` (status {completed.status})",
                place=notebook.place(cells[0]),
                details=completed.stderr[-2000:] or None,
                remedy=ALONE,
            )
        outcome = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in outcome:
        number = outcome["cell"]
        cell = next((cell for cell in cells if cell.number == number), None)
        raise RequirementsError(
            f"computing `{name}` failed: {outcome['error']}",
            place=notebook.place(cell, outcome.get("line")),
            remedy=ALONE,
        )
    return outcome["value"]


def _without_magics(tree: ast.Module) -> ast.Module:
    """Drop the statements that only IPython can run."""
    body = [statement for statement in tree.body if not _is_magic(statement)]
    return ast.Module(body=body, type_ignores=[])


def _is_magic(statement: ast.stmt) -> bool:
    """Return whether a statement calls a method of `get_ipython()`."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "get_ipython"
        for node in ast.walk(statement)
    )
