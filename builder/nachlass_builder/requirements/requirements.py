"""The requirements of a source, merged from every place that declares them.

Order of precedence: the variable `requirements`, PEP 723 blocks,
requirements.txt, pyproject.toml, environment.yml, pip lines, and the variable
`serving_requirements`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from platform import python_version

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.notebook.notebook import Notebook
from nachlass_builder.requirements.cell_requirements import read_pip_lines, read_script_block
from nachlass_builder.requirements.declared import NAME, SERVING_NAME, Declared, read_declared
from nachlass_builder.requirements.project_files import (
    read_environment_yml,
    read_pyproject,
    requires_python,
)
from nachlass_builder.requirements.requirement import Requirement
from nachlass_builder.requirements.requirement_hashes import Hashed, hashes_of_links
from nachlass_builder.requirements.requirements_txt import Listed, read_requirements_txt
from nachlass_builder.requirements.unmet import unmet_in_pyproject
from nachlass_builder.requirements.unread_files import unread_files

OLDEST_PYTHON = "3.11"
ENVIRONMENTS = ("environment.yml", "environment.yaml", "conda.yml", "conda.yaml")
RUNS_NOTEBOOK = re.compile(r"^\s*%?run\s.*\.ipynb\b", re.MULTILINE)


@dataclass(frozen=True)
class Conflict:
    """Two places that disagree about a distribution; the one with higher precedence wins."""

    chosen: Requirement
    passed_over: Requirement

    def __str__(self) -> str:
        return f"{self.passed_over} is overridden by {self.chosen}"


@dataclass
class Requirements:
    """All requirements of a source.

    `computed` lists the notebooks whose `requirements` only the first pass can know;
    `local` the repository's own folders to import from; `uv_lock` is the project folder
    whose uv.lock constrains the versions; `for_kernel` are the packages that the cells'
    magics need; `serving` the distributions named in `serving_requirements`. `hashes`
    apply to everything locked, even if a place of higher precedence repeats the
    requirement without them; `require_hashes` is the place of a `--require-hashes`.
    """

    merged: list[Requirement] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    computed: list[tuple[Notebook, Declared]] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    local: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    uv_lock: str | None = None
    for_kernel: list[str] = field(default_factory=list)
    serving: list[str] = field(default_factory=list)
    hashes: list[Hashed] = field(default_factory=list)
    require_hashes: Place | None = None

    def import_folders(self, root: Path) -> list[str]:
        """Return the folders, from the root, of the repository's own packages."""
        folders = map(PurePosixPath, self.local)
        return [str(one / "src" if (root / one / "src").is_dir() else one) for one in folders]


def gather(
    root: Path,
    notebooks: Sequence[Notebook],
    computed: Mapping[tuple[str, str], Sequence[Requirement]] | None = None,
) -> Requirements:
    """Read and merge all requirements below `root`; raise RequirementsError.

    `computed` has the results of the first pass, by notebook and variable.
    """
    gathered = Requirements()
    sources: list[Sequence[Requirement]] = []

    def declared(notebook: Notebook, variable: str) -> Sequence[Requirement]:
        found = read_declared(notebook, variable)
        if found.computed_in:
            gathered.computed.append((notebook, found))
        return (computed or {}).get((notebook.name, variable), found.requirements)

    sources += [declared(notebook, NAME) for notebook in notebooks]
    for notebook in notebooks:
        block, specifier, place = read_script_block(notebook, gathered.notes)
        sources.append(block)
        _check_python(specifier, place)
    for listed in _files(root, notebooks, gathered):
        sources.append(listed.requirements)
        _add_declared(listed, gathered)
    for notebook in notebooks:
        listed = read_pip_lines(root, notebook)
        sources.append(listed.requirements)
        _add_declared(listed, gathered)
    for folder in gathered.local:
        name = PurePosixPath(folder) / "pyproject.toml"
        if (root / name).is_file():
            sources.append(read_pyproject(root, str(name)))
    if any(RUNS_NOTEBOOK.search(cell.source) for book in notebooks for cell in book.cells):
        gathered.for_kernel.append("nbformat>=5.10")
    serving = [declared(notebook, SERVING_NAME) for notebook in notebooks]
    _merge([*sources, *serving], gathered)
    for source in (*sources, *serving):
        gathered.hashes += hashes_of_links(source)
    gathered.serving = [requirement.name for found in serving for requirement in found]
    return gathered


def _files(root: Path, notebooks: Sequence[Notebook], gathered: Requirements) -> list[Listed]:
    """Read the requirement files, each kind from the folder nearest to the first notebook."""
    found = []
    if name := _nearest(root, notebooks, "requirements.txt"):
        found.append(read_requirements_txt(root, name))
    if name := _nearest(root, notebooks, "pyproject.toml"):
        required, notes = read_pyproject(root, name), [*unmet_in_pyproject(root, name)]
        found.append(Listed(requirements=required, notes=notes))
        _check_python(*requires_python(root, name))
        folder = PurePosixPath(name).parent
        if (root / folder / "src").is_dir():
            gathered.local.append(str(folder))
        if (root / folder / "uv.lock").is_file():
            gathered.uv_lock = str(folder)
    if name := _nearest(root, notebooks, *ENVIRONMENTS):
        found.append(read_environment_yml(root, name))
    if not any(listed.requirements for listed in found):
        gathered.notes += unread_files(root, lambda name: _nearest(root, notebooks, name))
    return found


def _nearest(root: Path, notebooks: Sequence[Notebook], *names: str) -> str | None:
    """Return the path of a file in the notebook's folder or the nearest one above it."""
    for folder in PurePosixPath(notebooks[0].name).parents:
        for name in names:
            if (root / folder / name).is_file():
                return str(folder / name)
    return None


def _check_python(specifier: str | None, place: Place) -> None:
    """Reject a requires-python that excludes the running Python."""
    if not specifier:
        return
    try:
        accepted = SpecifierSet(specifier)
    except InvalidSpecifier:
        raise RequirementsError(
            f"requires-python is not valid: {specifier!r}", place=place
        ) from None
    if not accepted.contains(python_version(), prereleases=True):
        raise RequirementsError(
            f"requires-python is {specifier!r}, but this is Python {python_version()}",
            place=place,
            remedy=(
                "widen requires-python if the notebook runs with this Python; "
                f"Nachlass needs {OLDEST_PYTHON} or newer"
            ),
        )


def _add_declared(listed: Listed, gathered: Requirements) -> None:
    """Keep everything a file declares besides its requirements."""
    gathered.options += listed.options
    gathered.constraints += listed.constraints
    gathered.local += [folder for folder in listed.local if folder not in gathered.local]
    gathered.notes += listed.notes
    gathered.hashes += listed.hashes
    gathered.require_hashes = gathered.require_hashes or listed.require_hashes


def _merge(sources: Sequence[Sequence[Requirement]], gathered: Requirements) -> None:
    """Keep, for each distribution, the requirement with the highest precedence.

    A bare name conflicts with nothing: a version of lower precedence replaces it.
    """
    by_name: dict[str, list[Requirement]] = {}
    for source in sources:
        applicable: dict[str, list[Requirement]] = {}
        for requirement in source:
            marker = requirement.parsed.marker
            if marker is None or marker.evaluate():
                applicable.setdefault(requirement.name, []).append(requirement)
        for name, requirements in applicable.items():
            higher = by_name.get(name)
            if higher is None or _is_bare(higher):
                by_name[name] = requirements
            elif not _is_bare(requirements) and _texts(requirements) != _texts(higher):
                gathered.conflicts.append(Conflict(higher[0], requirements[0]))
    gathered.merged = list(
        {req.text: req for requirements in by_name.values() for req in requirements}.values()
    )


def _is_bare(requirements: Sequence[Requirement]) -> bool:
    """Return whether they only name the distribution."""
    return all(
        not (requirement.parsed.specifier or requirement.parsed.url or requirement.parsed.extras)
        for requirement in requirements
    )


def _texts(requirements: Sequence[Requirement]) -> set[str]:
    """Return the requirements in normalised form."""
    return {str(requirement.parsed) for requirement in requirements}
