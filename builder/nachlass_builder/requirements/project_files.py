"""Reads the requirements of pyproject.toml and environment.yml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path, PurePosixPath

import yaml

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.foundation.text_file import place_of, read_text
from nachlass_builder.requirements.requirement import Requirement
from nachlass_builder.requirements.requirements_txt import Listed, read_line
from nachlass_builder.requirements.typed_values import list_at, table_at, text_at, texts_at
from nachlass_builder.requirements.unmet import unmet_in_conda


def read_pyproject(root: Path, name: str) -> list[Requirement]:
    """Read `[project] dependencies`."""
    text = read_text(root, name, RequirementsError)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RequirementsError(f"the file is not TOML: {error}", place=Place(name)) from None
    project = table_at(document, "project", place=place_of(name, text, "project"))
    entries = texts_at(project, "dependencies", place_of(name, text, "dependencies"))
    return [Requirement.parse(entry, place_of(name, text, re.escape(entry))) for entry in entries]


def requires_python(root: Path, name: str) -> tuple[str | None, Place]:
    """Read `[project] requires-python`, and its place."""
    text = read_text(root, name, RequirementsError)
    place = place_of(name, text, "requires-python")
    project = table_at(tomllib.loads(text), "project", place=place)
    return text_at(project, "requires-python", place), place


def read_environment_yml(root: Path, name: str) -> Listed:
    """Read the pip part of a conda environment file; what only conda installs is noted."""
    text = read_text(root, name, RequirementsError)
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # the latter for a date that is none
        raise RequirementsError(f"the file is not YAML: {error}", place=Place(name)) from None
    listed = Listed()
    conda: list[str] = []
    content = content if isinstance(content, dict) else {}
    for entry in list_at(content, "dependencies", place_of(name, text, "dependencies")):
        if isinstance(entry, dict):
            for line in list_at(entry, "pip", place_of(name, text, "pip:")):
                place = place_of(name, text, re.escape(str(line)))
                read_line(root, str(PurePosixPath(name).parent), str(line), place, listed)
        elif re.split(r"[=<>! ]", str(entry))[0] not in ("python", "pip"):
            conda.append(str(entry))
    listed.notes += unmet_in_conda(content, name, text)
    if conda:
        listed.notes.append(
            f"{name}: its conda packages are not installed ({', '.join(conda)}); "
            "name those the notebook needs under `pip:`"
        )
    return listed
