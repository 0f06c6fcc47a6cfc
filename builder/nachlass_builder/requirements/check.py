"""Static checks of a source: nothing is executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nachlass_builder.foundation.errors import NachlassError, NotebookError, Place
from nachlass_builder.foundation.settings import SAMPLES_VARIABLE, Settings
from nachlass_builder.notebook.bindings import takes_one_argument
from nachlass_builder.notebook.cell_secrets import secrets_of_modules, secrets_of_notebook
from nachlass_builder.notebook.choose_notebook import ChosenNotebooks, Explain, choose_notebooks
from nachlass_builder.notebook.contract import CONTRACT, NAME_SAMPLES, SAVE_FILE, one_argument
from nachlass_builder.notebook.find_names import bindings_of, last_binding, may_define_unseen
from nachlass_builder.notebook.notebook import Notebook, syntax_error
from nachlass_builder.notebook.suggest import define_predictor
from nachlass_builder.requirements.elsewhere import found_elsewhere
from nachlass_builder.requirements.imports import Import, find_imports
from nachlass_builder.requirements.own_modules import OwnModules
from nachlass_builder.requirements.requirements import Requirements, gather


@dataclass
class Checked:
    """The result of a check: the notebooks, their requirements, and problems.

    Any of the `errors` would certainly fail a build; `warnings` would not. `imports` are
    the modules imported from outside the source.
    """

    chosen: ChosenNotebooks
    requirements: Requirements
    imports: list[Import] = field(default_factory=list)
    errors: list[NachlassError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def contract(self) -> Iterator[tuple[str, Place]]:
        """Yield the contract's names that the notebooks define, with their places."""
        for notebook in self.chosen.notebooks:
            for name in CONTRACT:
                place = last_binding(notebook, name)
                if place is not None:
                    yield name, place


def check(
    root: Path,
    files: list[str],
    settings: Settings,
    requested: str | None,
    explain: Explain = lambda _name: None,
) -> Checked:
    """Read the notebooks and their requirements, and find what cannot work.

    The arguments are those of `choose_notebooks`. Raises the first failure that makes
    further checks impossible.
    """
    chosen = choose_notebooks(root, files, settings, requested, explain)
    requirements, own = gather(root, chosen.notebooks), OwnModules(files)
    imports = find_imports(chosen.notebooks, root, own, requirements.import_folders(root))
    checked = Checked(chosen, requirements, imports)
    for notebook in chosen.notebooks:
        for cell in notebook.cells:
            if problem := syntax_error(notebook, cell):
                checked.errors.append(problem)
        provided = {requirement.name for requirement in checked.requirements.merged}
        checked.warnings += found_elsewhere(notebook, provided)
        checked.warnings += secrets_of_notebook(notebook)
    others = {*files} - {notebook.name for notebook in chosen.notebooks}
    checked.warnings += secrets_of_modules(root, sorted(others))
    if chosen.contract == "function" and not checked.errors:
        checked.errors += _contract_errors(chosen.notebooks[0])
        checked.errors += _argument_errors(chosen.notebooks[0])
    checked.errors += _samples_errors(chosen.notebooks, settings.samples)
    checked.warnings += [str(conflict) for conflict in checked.requirements.conflicts]
    checked.warnings += checked.requirements.notes
    return checked


def _contract_errors(notebook: Notebook) -> list[NachlassError]:
    """Report a predictor that no cell can define."""
    if last_binding(notebook, "predictor") or may_define_unseen(notebook):
        return []
    cells = [
        cell for cell in notebook.cells if SAVE_FILE in cell.source or "serialize_to" in cell.source
    ]
    if cells:
        return [
            NotebookError(
                "the notebook saves a pipeline stage but defines no `predictor`",
                place=notebook.place(cells[-1]),
                remedy="list the pipeline's notebooks in order in S2I_SOURCE_NOTEBOOK_LIST",
            )
        ]
    return [
        NotebookError(
            "no cell defines `predictor`",
            place=notebook.place(),
            remedy=define_predictor(notebook),
        )
    ]


def _argument_errors(notebook: Notebook) -> Iterator[NachlassError]:
    """Yield the contract's functions that certainly cannot be called with one argument."""
    for name in ("predictor", "validator", "batch_predictor"):
        run = [found for found in bindings_of(notebook, name) if not found[0].is_skipped]
        match run[-1:]:
            case [(cell, ast.FunctionDef(decorator_list=[]) as function)]:
                is_certain = cell.tree is not None and function in cell.tree.body
                if is_certain and not (takes_one_argument(function) or may_define_unseen(notebook)):
                    yield NotebookError(
                        f"`{name}({ast.unparse(function.args)})` "
                        "cannot be called with one argument",
                        place=notebook.place(cell, function.lineno),
                        remedy=one_argument(name),
                    )


def _samples_errors(notebooks: Sequence[Notebook], name: str | None) -> list[NachlassError]:
    """Report a variable named in S2I_SAMPLES that no cell can define."""
    if name in (None, "samples"):
        return []
    if any(last_binding(book, name) or may_define_unseen(book) for book in notebooks):
        return []
    return [
        NotebookError(
            f"{SAMPLES_VARIABLE} names `{name}`, but no cell defines it",
            place=notebooks[-1].place(),
            remedy=NAME_SAMPLES,
        )
    ]
