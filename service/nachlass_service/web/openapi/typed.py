"""Turns the types of the service's JSON documents into schemas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import getdoc
from types import NoneType, UnionType
from typing import (
    Any,
    Literal,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

Json = dict[str, Any]
"""A part of the document."""

PLAIN = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
}


def reference(name: str) -> Json:
    """Return a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def of_types(*names: str) -> Json:
    """Return the schema of one or several types, as more tools read `anyOf` than a list."""
    alternatives: list[Json] = [{"type": name} for name in names]
    return alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}


def name_of(kind: type) -> str:
    """Return the name of a document's schema: `Drift` for DriftDocument."""
    return kind.__name__.removesuffix("Document")


def schemas_of(*kinds: type) -> Json:
    """Return the schemas of TypedDicts and those in their fields, by name."""
    found: Json = {}
    for kind in kinds:
        _collect(kind, found)
    return found


def _collect(kind: Any, found: Json) -> None:
    """Add the schemas of all TypedDicts in a type."""
    if not is_typeddict(kind):
        for inner in get_args(kind):
            _collect(inner, found)
    elif name_of(kind) not in found:
        # Not __required_keys__, which is wrong where annotations are texts.
        fields = get_type_hints(kind, include_extras=True)
        found[name_of(kind)] = {
            "type": "object",
            "description": (getdoc(kind) or "").partition("\n")[0],
            "properties": {name: _schema(field) for name, field in fields.items()},
            "required": [n for n, field in fields.items() if get_origin(field) is not NotRequired],
        }
        for field in fields.values():
            _collect(field, found)


def _schema(kind: Any) -> Json:
    """Return the schema of a type, in which TypedDicts are references."""
    if is_typeddict(kind):
        return reference(name_of(kind))
    arguments = get_args(kind)
    match get_origin(kind):
        case origin if origin is NotRequired:
            return _schema(arguments[0])
        case origin if origin in (Union, UnionType):
            return {"anyOf": [*map(_schema, arguments)]}
        case origin if origin is Literal:
            return {"enum": [*arguments]}
        case origin if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": _schema(arguments[1])}
        case origin if isinstance(origin, type) and issubclass(origin, Sequence):
            return {"type": "array", "items": _schema(arguments[0])}
    return dict(PLAIN.get(kind, {}))
