"""Takes values out of documents that people write, and refuses those of another type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nachlass_builder.foundation.errors import Place, RequirementsError


def table_at(document: Mapping[str, Any], *keys: str, place: Place) -> dict[str, Any]:
    """The table under these keys, empty when there is none; raises RequirementsError."""
    found: Any = document
    for depth, key in enumerate(keys, start=1):
        found = found.get(key, {})
        if not isinstance(found, dict):
            raise RequirementsError(f"`{'.'.join(keys[:depth])}` has to be a table", place=place)
    return dict(found)


def list_at(table: Mapping[str, Any], key: str, place: Place) -> list[Any]:
    """The list under a key, empty when there is none; raises RequirementsError."""
    found = table.get(key)
    if found is not None and not isinstance(found, list):
        raise RequirementsError(f"`{key}` has to be a list, and is {found!r}", place=place)
    return found or []


def texts_at(table: Mapping[str, Any], key: str, place: Place) -> list[str]:
    """The texts of the list under a key; raises RequirementsError."""
    found = list_at(table, key, place)
    for entry in found:
        if not isinstance(entry, str):
            raise RequirementsError(f"`{key}` holds {entry!r}, which is no text", place=place)
    return found


def text_at(table: Mapping[str, Any], key: str, place: Place) -> str | None:
    """The text under a key, None when there is none; raises RequirementsError."""
    found = table.get(key)
    if found is not None and not isinstance(found, str):
        raise RequirementsError(
            f"`{key}` has to be a text, and is {found!r}",
            place=place,
            remedy="put it in quotation marks",
        )
    return found
