"""The requirements of pyproject.toml and environment.yml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path, PurePosixPath

import yaml

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.foundation.text_file import read_text
from nachlass_builder.requirements.line_numbers import YamlLines, toml_place
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
        raise RequirementsError(f"the file is not valid TOML: {error}", place=Place(name)) from None
    project = table_at(document, "project", place=toml_place(name, text, "", "project"))
    entries = texts_at(project, "dependencies", toml_place(name, text, "project", "dependencies"))
    return [
        Requirement.parse(entry, toml_place(name, text, "project", "dependencies", entry))
        for entry in entries
    ]


def requires_python(root: Path, name: str) -> tuple[str | None, Place]:
    """Read `[project] requires-python` and its place."""
    text = read_text(root, name, RequirementsError)
    place = toml_place(name, text, "project", "requires-python")
    project = table_at(tomllib.loads(text), "project", place=place)
    return text_at(project, "requires-python", place), place


def read_environment_yml(root: Path, name: str) -> Listed:
    """Read the pip section of a conda environment file; note its conda packages."""
    text = read_text(root, name, RequirementsError)
    try:
        content, lines = yaml.safe_load(text), YamlLines(name, text)
    except (yaml.YAMLError, ValueError) as error:  # the latter for an invalid date
        raise RequirementsError(f"the file is not valid YAML: {error}", place=Place(name)) from None
    listed = Listed()
    conda: list[str] = []
    content = content if isinstance(content, dict) else {}
    path = "dependencies"
    for at, entry in enumerate(list_at(content, path, lines.place(path))):
        if isinstance(entry, dict):
            pip = list_at(entry, "pip", lines.place(path, at, "pip"))
            for below, line in enumerate(pip):
                place = lines.place(path, at, "pip", below)
                read_line(root, str(PurePosixPath(name).parent), str(line), place, listed)
        elif re.split(r"[=<>! ]", str(entry))[0] not in ("python", "pip"):
            conda.append(str(entry))
    listed.notes += unmet_in_conda(content, lines)
    if conda:
        listed.notes.append(
            f"{name}: the conda packages are not installed ({', '.join(conda)}); "
            "list those that the notebook needs under `pip:`"
        )
    return listed
