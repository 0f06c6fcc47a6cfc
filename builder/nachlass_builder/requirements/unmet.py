"""Settings of project files that have no effect in a build."""

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

RESOLUTION_KEYS = frozenset(
    "index index-url extra-index-url find-links constraint-dependencies override-dependencies"
    " exclude-dependencies exclude-newer exclude-newer-package prerelease resolution"
    " index-strategy no-binary no-binary-package no-build no-build-package".split()
)
"""Settings in `[tool.uv]` that decide which files are locked."""


def unmet_in_pyproject(root: Path, name: str) -> Iterator[str]:
    """Yield the dependency settings of a pyproject.toml that have no effect.

    uv itself reads `[tool.uv]` at the source's root; a uv.lock contains the result of all of
    them.
    """
    text = read_text(root, name, RequirementsError)
    document = tomllib.loads(text)
    project = table_at(document, "project", place=Place(name))
    dynamic = toml_place(name, text, "project", "dynamic")
    if "dependencies" in list_at(project, "dynamic", dynamic):
        yield (
            f"{dynamic}: the dependencies are dynamic (known only once the project is built) "
            "and are not read: list them there, or in `requirements`"
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
                f"effect in a build: write `{key} @ URL` as the requirement"
            )
    ignored = sorted(tool.keys() & RESOLUTION_KEYS)
    if ignored and not locked and folder != PurePosixPath():
        yield (
            f"{toml_place(name, text, 'tool.uv', ignored[0])}: [tool.uv] has no effect here "
            f"({', '.join(ignored)}): move it to pyproject.toml or uv.toml at the source's root"
        )


def unmet_in_block(content: Mapping[str, Any], place: Place) -> Iterator[str]:
    """Yield a note if a PEP 723 block has a `[tool.uv]`, which is not read."""
    tool = table_at(content, "tool", "uv", place=place)
    keys = sorted(tool.keys() & {*RESOLUTION_KEYS, "sources"})
    if keys:
        yield (
            f"{place}: [tool.uv] has no effect in a block ({', '.join(keys)}): "
            "move it to uv.toml or pyproject.toml at the source's root, "
            "and a source into its requirement (`NAME @ URL`)"
        )


def unmet_in_conda(content: Mapping[str, Any], lines: YamlLines) -> Iterator[str]:
    """Yield notes about the Python and the variables of a conda environment."""
    for at, entry in enumerate(content.get("dependencies") or ()):
        # `conda export` adds the build string of Python: python=3.11.9=h955ad1f_0.
        match = re.fullmatch(r"python\s*={0,2}\s*([\d.*]+|[<>!~].*)(=[\w*]*)?", str(entry))
        if match and not _accepts(match[1]):
            yield (
                f"{lines.place('dependencies', at)}: the file requires {entry}, but the build has "
                f"Python {python_version()}: models use the Python that runs `nachlass`"
            )
    if content.get("variables"):
        names = ", ".join(map(str, content["variables"]))
        yield (
            f"{lines.place('variables')}: the variables {names} are not set in a build: "
            "set them in .s2i/environment"
        )


def _accepts(version: str) -> bool:
    """Return whether this Python matches conda's `python=3.11` or `python>=3.10`."""
    specifier = version if version[0] in "<>!~" else f"=={version.rstrip('.*')}.*"
    try:
        return SpecifierSet(specifier).contains(python_version(), prereleases=True)
    except InvalidSpecifier:
        return True


def _is_remote(source: Any) -> bool:
    """Return whether a uv source is not a folder: uv.lock has no pins for folders."""
    entries = source if isinstance(source, list) else [source]
    tables = [entry for entry in entries if isinstance(entry, dict)]
    return not any({"path", "workspace"} & table.keys() for table in tables)
