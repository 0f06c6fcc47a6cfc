"""Reads the versions that a project's uv.lock has chosen. Builder environment."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Pep508
from packaging.utils import canonicalize_name
from uv import find_uv_bin

from nachlass_builder.errors import Place, RequirementsError
from nachlass_builder.process import Deadline, run

EXPORT_OPTIONS = (
    *("--frozen", "--offline", "--quiet", "--all-extras"),
    *("--no-hashes", "--no-emit-project", "--no-header", "--no-annotate"),
)


def locked_versions(project: Path, overruled: Collection[str], deadline: Deadline) -> list[str]:
    """The pins of a uv.lock as constraints, except for the `overruled` distributions."""
    completed = run(
        [find_uv_bin(), "export", *EXPORT_OPTIONS],
        doing="reading uv.lock",
        deadline=deadline,
        cwd=project,
    )
    if completed.status != 0:
        raise RequirementsError(
            "uv.lock cannot be read",
            place=Place("uv.lock"),
            details=completed.stderr.strip() or None,
            remedy="run `uv lock` again, or remove uv.lock",
        )
    return [line for line in completed.stdout.splitlines() if _name(line) not in {None, *overruled}]


def _name(line: str) -> str | None:
    """The distribution that a line pins; None for options and local folders."""
    try:
        return canonicalize_name(Pep508(line).name)
    except InvalidRequirement:
        return None
