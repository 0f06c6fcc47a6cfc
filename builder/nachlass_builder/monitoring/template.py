"""Reads the YAML files in this folder, in which `<name>` is a value or a named expression."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

PLACEHOLDER = re.compile(r"<([a-z0-9_]+)>")


def fill_in(file: str, values: Mapping[str, str]) -> dict[str, Any]:
    """Return the content of a file with its own `expressions` and these values filled in.

    An expression may use those above it. Raise KeyError for an undefined name.
    """
    document = yaml.safe_load(Path(__file__).with_name(file).read_text(encoding="utf-8"))
    known = dict(values)
    for name, expression in document.pop("expressions").items():
        known[name] = _filled(expression, known)
    filled: dict[str, Any] = _filled(document, known)
    return filled


def _filled(part: Any, known: Mapping[str, str]) -> Any:
    match part:
        case str():
            return PLACEHOLDER.sub(lambda found: known[found[1]], part)
        case list():
            return [_filled(each, known) for each in part]
        case dict():
            return {key: _filled(value, known) for key, value in part.items()}
        case _:
            return part
