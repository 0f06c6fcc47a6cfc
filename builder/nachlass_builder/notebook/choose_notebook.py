"""The choice of the notebooks to build, and of their contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from nachlass_builder.foundation.errors import NachlassError, NotebookError, SourceError
from nachlass_builder.foundation.settings import Settings
from nachlass_builder.notebook.find_names import last_binding
from nachlass_builder.notebook.notebook import Notebook, read_notebook
from nachlass_builder.notebook.suggest import suggest_predictor

DEFAULT_NOTEBOOK = "model.ipynb"

Explain = Callable[[str], str | None]


@dataclass(frozen=True)
class ChosenNotebooks:
    """The notebooks to build, in order; `reason` says why they were chosen."""

    contract: Literal["function", "pipeline"]
    notebooks: tuple[Notebook, ...]
    reason: str

    @property
    def folder(self) -> PurePosixPath:
        """The working directory of cells and of the service, relative to the source's root."""
        if self.contract == "pipeline":
            return PurePosixPath()
        return PurePosixPath(self.notebooks[0].name).parent


def choose_notebooks(
    root: Path,
    files: Sequence[str],
    settings: Settings,
    requested: str | None,
    explain: Explain = lambda _name: None,
) -> ChosenNotebooks:
    """Find and read the notebooks: those named, or the only candidate.

    `files` are the source's files; `requested` is the notebook passed as SOURCE. `explain` says
    why an existing file is not part of the source.
    """
    if settings.notebook_list and not requested:
        _require(settings.notebook_list, "S2I_SOURCE_NOTEBOOK_LIST", files, explain)
        notebooks = tuple(read_notebook(root, name) for name in settings.notebook_list)
        return ChosenNotebooks("pipeline", notebooks, "S2I_SOURCE_NOTEBOOK_LIST")
    if name := requested or settings.notebook:
        _require([name], "SOURCE" if requested else "S2I_SOURCE_NOTEBOOK", files, explain)
        reason = "named as the source" if requested else "S2I_SOURCE_NOTEBOOK"
        return ChosenNotebooks("function", (read_notebook(root, name),), reason)
    name, reason = _find(root, [file for file in files if file.endswith(".ipynb")], explain)
    return ChosenNotebooks("function", (read_notebook(root, name),), reason)


def _require(names: Sequence[str], variable: str, files: Sequence[str], explain: Explain) -> None:
    """Reject a named notebook that does not exist."""
    for name in names:
        if str(PurePosixPath(name)) in files:
            continue
        if reason := explain(name):
            raise SourceError(f"{variable} names {name}: {reason}")
        found = [file for file in files if file.endswith(".ipynb")]
        raise SourceError(
            f"{variable} names {name}, but there is no such file in the source",
            remedy=f"the source has {_listed(found)}" if found else "the source has no notebooks",
        )


def _find(root: Path, notebooks: Sequence[str], explain: Explain) -> tuple[str, str]:
    """Choose a notebook if none was named, and say why."""
    if DEFAULT_NOTEBOOK in notebooks:
        return DEFAULT_NOTEBOOK, "the default name"
    at_root = [name for name in notebooks if "/" not in name]
    if len(at_root) == 1:
        return at_root[0], "the only notebook at the root"
    if not notebooks and (reason := explain(DEFAULT_NOTEBOOK)):
        raise SourceError(reason)
    if not notebooks:
        raise SourceError(
            "there is no notebook in the source",
            remedy="name a folder or git URL with a notebook (.ipynb), or the notebook itself",
        )
    defining = [name for name in notebooks if _defines_predictor(root, name)]
    if len(defining) == 1:
        return defining[0], "the only notebook that defines `predictor`"
    if len(notebooks) == 1:
        return notebooks[0], "the only notebook"
    if not defining and len(fitting := [name for name in notebooks if _fits(root, name)]) == 1:
        return fitting[0], "the only notebook that fits a model"
    candidates = defining or notebooks
    what = "several notebooks define `predictor`" if defining else "no notebook defines `predictor`"
    remedy = "choose one with S2I_SOURCE_NOTEBOOK, or S2I_SOURCE_NOTEBOOK_LIST for a pipeline"
    if not defining:
        remedy = (
            "define predictor(x), which scores one sample, in one of them; for a pipeline, list "
            "its notebooks in order in S2I_SOURCE_NOTEBOOK_LIST"
        )
    raise NotebookError(f"{what}: {_listed(candidates)}", remedy=remedy)


def _defines_predictor(root: Path, name: str) -> bool:
    """Return whether a candidate is readable and defines `predictor`."""
    try:
        return last_binding(read_notebook(root, name), "predictor") is not None
    except NachlassError:
        return False


def _fits(root: Path, name: str) -> bool:
    """Return whether a candidate is readable and fits a model that a predictor could use."""
    try:
        return suggest_predictor(read_notebook(root, name)) is not None
    except NachlassError:
        return False


def _listed(names: Sequence[str], limit: int = 10) -> str:
    """Join names, only the first few if there are many."""
    shown = ", ".join(names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown
