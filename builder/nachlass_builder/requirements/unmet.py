"""Names what project files ask for and a build does not do."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from platform import python_version
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.foundation.text_file import read_text
from nachlass_builder.requirements.line_numbers import YamlLines, toml_place
from nachlass_builder.requirements.requirement import Requirement
from nachlass_builder.requirements.typed_values import list_at, table_at, texts_at

STEERING = frozenset(
    "index index-url extra-index-url find-links constraint-dependencies override-dependencies"
    " exclude-dependencies exclude-newer exclude-newer-package prerelease resolution"
    " index-strategy no-binary no-binary-package no-build no-build-package".split()
)
"""What decides, in `[tool.uv]`, which files are locked."""


def unmet_in_pyproject(root: Path, name: str) -> Iterator[str]:
    """What a pyproject.toml says of its dependencies that has no effect.

    uv itself reads `[tool.uv]` at the source's root; a uv.lock holds what came of all of it.
    """
    text = read_text(root, name, RequirementsError)
    document = tomllib.loads(text)
    project = table_at(document, "project", place=Place(name))
    dynamic = toml_place(name, text, "project", "dynamic")
    if "dependencies" in list_at(project, "dynamic", dynamic):
        yield (
            f"{dynamic}: the dependencies are known only once the project "
            "is built, and are not read: list them there, or in `requirements`"
        )
    tool = table_at(document, "tool", "uv", place=Place(name))
    folder = PurePosixPath(name).parent
    locked = (root / folder / "uv.lock").is_file()
    entries = texts_at(project, "dependencies", Place(name))
    names = {Requirement.parse(entry, Place(name)).name for entry in entries}
    for key, source in table_at(tool, "sources", place=Place(name)).items():
        if canonicalize_name(key) in names and not (locked and _is_remote(source)):
            yield (
                f"{toml_place(name, text, 'tool.uv.sources', key)}: the source of {key} has no "
                f"effect in a build: write `{key} @ URL` where it is required"
            )
    ignored = sorted(tool.keys() & STEERING)
    if ignored and not locked and folder != PurePosixPath():
        yield (
            f"{toml_place(name, text, 'tool.uv', ignored[0])}: {', '.join(ignored)} of [tool.uv] "
            "has no effect here, but in pyproject.toml or uv.toml at the root of the source"
        )


def unmet_in_block(content: Mapping[str, Any], place: Place) -> Iterator[str]:
    """What the `[tool.uv]` of a PEP 723 block asks for, of which nothing is read."""
    tool = table_at(content, "tool", "uv", place=place)
    keys = sorted(tool.keys() & {*STEERING, "sources"})
    if keys:
        yield (
            f"{place}: {', '.join(keys)} of [tool.uv] has no effect in a block: "
            "move it to uv.toml or pyproject.toml at the root of the source, "
            "and a source into its requirement (`NAME @ URL`)"
        )


def unmet_in_conda(content: Mapping[str, Any], lines: YamlLines) -> Iterator[str]:
    """The Python and the variables of a conda environment, which a build does not have."""
    for at, entry in enumerate(content.get("dependencies") or ()):
        # What conda exports names its build of Python too: python=3.11.9=h955ad1f_0.
        match = re.fullmatch(r"python\s*={0,2}\s*([\d.*]+|[<>!~].*)(=[\w*]*)?", str(entry))
        if match and not _accepts(match[1]):
            yield (
                f"{lines.place('dependencies', at)}: it asks for {entry}, and the build "
                f"has Python {python_version()}: the Python that runs `nachlass` is the model's"
            )
    if content.get("variables"):
        names = ", ".join(map(str, content["variables"]))
        yield (
            f"{lines.place('variables')}: the variables {names} are not set in a build: "
            "put them into .s2i/environment"
        )


def _accepts(version: str) -> bool:
    """Whether this Python is what conda's `python=3.11`, `python>=3.10` mean."""
    specifier = version if version[0] in "<>!~" else f"=={version.rstrip('.*')}.*"
    try:
        return SpecifierSet(specifier).contains(python_version(), prereleases=True)
    except InvalidSpecifier:
        return True


def _is_remote(source: Any) -> bool:
    """Whether a source of uv's is no folder: of those a uv.lock has no pin."""
    entries = source if isinstance(source, list) else [source]
    tables = [entry for entry in entries if isinstance(entry, dict)]
    return not any({"path", "workspace"} & table.keys() for table in tables)
