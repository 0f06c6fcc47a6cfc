"""Reads the JSON Schema that the build infers from the samples; it uses few keywords."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nachlass_service.bundle.manifest import Schema


def types_of(schema: Schema) -> set[str]:
    """Return the types that a schema allows; empty when unknown."""
    types: set[str] = set()
    for alternative in alternatives(schema):
        declared = alternative.get("type", ())
        types.update([declared] if isinstance(declared, str) else declared)
    return types


def inner(schema: Schema, keyword: str, name: str | None = None) -> Schema:
    """Return the schema of a list's items or an object's property; true when there is none."""
    found = []
    for alternative in alternatives(schema):
        inside = alternative.get(keyword)
        inside = inside.get(name) if isinstance(inside, dict) and name is not None else inside
        if isinstance(inside, dict):
            found.append(inside)
    return {"anyOf": found} if found else True


def alternatives(schema: Schema) -> Iterator[dict[str, Any]]:
    """Yield a schema and all schemas in its `anyOf`."""
    if isinstance(schema, dict):
        yield schema
        for alternative in schema.get("anyOf", ()):
            yield from alternatives(alternative)
