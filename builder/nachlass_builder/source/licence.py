"""The licence of a source, if declared in machine-readable form."""

from __future__ import annotations

import tomllib
from pathlib import Path

import yaml
from cyclonedx.spdx import fixup_id, is_expression

PYPROJECT = "pyproject.toml"
CITATION = "CITATION.cff"
"""https://citation-file-format.github.io; `license` is an SPDX identifier, or alternatives."""


def licence_of(root: Path) -> str | None:
    """Return the SPDX expression in pyproject.toml or CITATION.cff; None if neither has one."""
    for licence in (_of_pyproject(root / PYPROJECT), _of_citation(root / CITATION)):
        if isinstance(licence, str) and (
            known := fixup_id(licence.strip()) or _expression(licence.strip())
        ):
            return known
    return None


def _expression(text: str) -> str | None:
    return text if is_expression(text) else None


def _of_pyproject(path: Path) -> object:
    """Return `[project] license`: a string or, in the old form, a table with `text`."""
    try:
        project = tomllib.loads(path.read_text(encoding="utf-8")).get("project")
    except (OSError, ValueError):
        return None
    licence = project.get("license") if isinstance(project, dict) else None
    return licence.get("text") if isinstance(licence, dict) else licence


def _of_citation(path: Path) -> object:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    licence = document.get("license") if isinstance(document, dict) else None
    return " OR ".join(map(str, licence)) if isinstance(licence, list) else licence
