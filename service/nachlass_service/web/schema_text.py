"""A sample's JSON Schema in a few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from nachlass_service.bundle.manifest import Schema


class Field(NamedTuple):
    """A property of a sample."""

    name: str
    type: str
    is_required: bool


def fields_of(schema: Schema) -> list[Field]:
    """Return the properties of samples that are objects."""
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(schema, Mapping) or not isinstance(properties, Mapping):
        return []
    required = {*schema.get("required", ())}
    return [Field(name, type_of(part), name in required) for name, part in properties.items()]


def type_of(schema: Any) -> str:
    """Return a schema's types: `number or null`, `array of 2 numbers`, or `any`."""
    if not isinstance(schema, Mapping):
        return "any"
    if isinstance(options := schema.get("anyOf"), list):
        return " or ".join(dict.fromkeys(map(type_of, options)))
    types = schema.get("type", "any")
    found = sorted(types, key=lambda name: name == "null") if isinstance(types, list) else [types]
    if "array" in found and "items" in schema:
        found[found.index("array")] = _array(schema)
    return " or ".join(map(str, found))


def _array(schema: Mapping[str, Any]) -> str:
    """Return `array of 2 numbers`, or `array of items (number or null)`."""
    minimum, maximum, item = (
        schema.get("minItems"),
        schema.get("maxItems"),
        type_of(schema["items"]),
    )
    size = f"{maximum:,} " if minimum == maximum and minimum is not None else ""
    is_one_word = item.isalpha() and item != "any"
    plural = "" if maximum == minimum == 1 else "s"
    return (
        f"array of {size}{item}{plural}" if is_one_word else f"array of {size}item{plural} ({item})"
    )
