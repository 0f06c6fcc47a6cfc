"""Advice on modules that cannot be imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from nachlass_builder.requirements.known_distributions import (
    ALTERNATIVES,
    DISTRIBUTIONS,
    OTHER_NAME,
)
from nachlass_builder.requirements.own_modules import OwnModules

COLAB = (
    "google.colab exists only in Colab: remove the code that uses it, or tag the cell "
    "skip-execution"
)


def distributions_of(module: str) -> tuple[str, ...]:
    """Return the known distributions that provide a module, the usual one first."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    known = next((name for name in names if name in DISTRIBUTIONS), None)
    return (DISTRIBUTIONS[known], *ALTERNATIVES.get(known, ())) if known else ()


def explain_missing_module(
    module: str,
    written: str,
    *,
    root: Path,
    cwd: str,
    explain_file: Callable[[str], str | None],
    missing_requirements: Callable[[str], str | None],
) -> str | None:
    """Return a remedy for a missing module, if it is certain.

    `written` is the dotted name as the code has it. Checked in order: whether the module
    belongs to Colab or Python, is elsewhere in the repository, or was left out of the
    build, and which distribution provides it. `missing_requirements` names that one
    together with all others that are missing.
    """
    top = module.partition(".")[0]
    if written.startswith("google.colab"):
        return COLAB
    if top in sys.stdlib_module_names:
        return f"{top} is part of Python, but the Python of this build was compiled without it"
    path = module.replace(".", "/")
    local = _explain_local(top, root, cwd)
    if local and top not in DISTRIBUTIONS:
        return local
    explanation = (
        explain_file(f"{path}.py")
        or explain_file(f"{path}/__init__.py")
        or _explain_distribution(module, written, missing_requirements)
    )
    return (
        f"{local}\nor, if you mean the library: {explanation}"
        if local and explanation
        else local or explanation
    )


def _explain_distribution(
    module: str, written: str, missing_requirements: Callable[[str], str | None]
) -> str | None:
    """Name the distribution to require; None for a part of an installed distribution."""
    if not module or ("." in module and module not in OTHER_NAME):
        return None
    if explanation := missing_requirements(written):
        return explanation
    known = distributions_of(written)
    if known:
        return f'add ["{known[0]}"] to `requirements`'
    return f"add the distribution that provides `{module}` to `requirements`"


def _explain_local(top: str, root: Path, cwd: str) -> str | None:
    """Say where in the repository the module is, if that is not on the import path.

    A plain folder with the name of a well-known library does not count as the module.
    """
    own = OwnModules.below(root)
    found = own.folders_with(top, namespaces=top not in DISTRIBUTIONS)
    folders = [root / name for name in found]
    if not folders or Path(cwd) in folders:
        return None
    is_package = (folders[0] / top).is_dir()
    shown = [str(folder.relative_to(root)) if folder != root else "the root" for folder in folders]
    verb = "which is not" if len(folders) == 1 else "none of which is"
    return (
        f"{top if is_package else f'{top}.py'} is in {' and in '.join(shown)}, {verb} on the "
        "import path: before the import, run "
        f'`import sys; sys.path.append("{os.path.relpath(folders[0], cwd)}")`'
    )
