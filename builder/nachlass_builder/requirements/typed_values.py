"""Typed access to the values of documents that people write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nachlass_builder.foundation.errors import Place, RequirementsError


def table_at(document: Mapping[str, Any], *keys: str, place: Place) -> dict[str, Any]:
    """Return the table under these keys, empty if missing; raise RequirementsError."""
    found: Any = document
    for depth, key in enumerate(keys, start=1):
        found = found.get(key, {})
        if not isinstance(found, dict):
            raise RequirementsError(f"`{'.'.join(keys[:depth])}` must be a table", place=place)
    return dict(found)


def list_at(table: Mapping[str, Any], key: str, place: Place) -> list[Any]:
    """Return the list under a key, empty if missing; raise RequirementsError."""
    found = table.get(key)
    if found is not None and not isinstance(found, list):
        raise RequirementsError(f"`{key}` must be a list, not {found!r}", place=place)
    return found or []


def texts_at(table: Mapping[str, Any], key: str, place: Place) -> list[str]:
    """Return the strings of the list under a key; raise RequirementsError."""
    found = list_at(table, key, place)
    for entry in found:
        if not isinstance(entry, str):
            raise RequirementsError(
                f"`{key}` contains {entry!r}, which is not a string", place=place
            )
    return found


def text_at(table: Mapping[str, Any], key: str, place: Place) -> str | None:
    """Return the string under a key, None if missing; raise RequirementsError."""
    found = table.get(key)
    if found is not None and not isinstance(found, str):
        raise RequirementsError(
            f"`{key}` must be a string, not {found!r}",
            place=place,
            remedy="put it in quotation marks",
        )
    return found
