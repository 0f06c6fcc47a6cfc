"""Describes samples, and the JSON that holds them in a request."""

from __future__ import annotations

from nachlass_service.base.settings import Settings
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.manifest import Schema
from nachlass_service.bundle.schema import types_of
from nachlass_service.web.example import example_of
from nachlass_service.web.openapi.typed import Json, reference

UNKNOWN = "One sample. The notebook has no samples, so its form is unknown."
ENFORCED = (
    "One sample. Its schema is inferred from the samples of the build, and enforced: other samples "
    "are rejected. Fields that no sample of the build has are accepted."
)
NOT_ENFORCED = (
    "One sample. Its schema is inferred from the samples of the build, and not enforced: the model "
    "decides which samples it accepts."
)
COPIED = ("required", "minItems", "maxItems")
"""The keywords of the build's schemas that hold no types and no other schemas."""


def sample_schema(bundle: Bundle, settings: Settings) -> Json:
    """Return the schema of a sample."""
    inferred = bundle.manifest.input.schema
    if not isinstance(inferred, dict):
        return {"description": UNKNOWN}
    described = ENFORCED if settings.strict_schema else NOT_ENFORCED
    return {"description": described, **_copied(inferred, is_enforced=settings.strict_schema)}


def request_schema(bundle: Bundle) -> Json:
    """Return the schema of a request: a sample, or for a pipeline also a list of samples."""
    if not bundle.is_pipeline:
        return reference("Sample")
    several = {"type": "array", "items": reference("Sample")}
    is_always_list = "array" in types_of(bundle.manifest.input.schema)
    return several if is_always_list else {"anyOf": [reference("Sample"), several]}


def request_examples(bundle: Bundle, settings: Settings) -> Json:
    """Return the examples of a request, by name: one at most."""
    example = example_of(bundle, settings)
    if example is None:
        return {}
    return {example.kind: {"summary": example.summary, "value": example.body}}


def _copied(schema: Schema, *, is_enforced: bool) -> Json:
    """Return what a schema of the build says.

    The service does not distinguish integers from other numbers.
    """
    if not isinstance(schema, dict):
        return {}
    found: Json = {}
    if "type" in schema:
        found["type"] = _numbers(schema["type"]) if is_enforced else schema["type"]
    for name in COPIED:
        if name in schema:
            found[name] = schema[name]
    if "items" in schema:
        found["items"] = _copied(schema["items"], is_enforced=is_enforced)
    if "properties" in schema:
        found["properties"] = {
            name: _copied(inside, is_enforced=is_enforced)
            for name, inside in schema["properties"].items()
        }
    if "anyOf" in schema:
        found["anyOf"] = [_copied(inside, is_enforced=is_enforced) for inside in schema["anyOf"]]
    return found


def _numbers(types: str | list[str]) -> str | list[str]:
    """Return types with `number` in place of `integer`."""
    if isinstance(types, str):
        return "number" if types == "integer" else types
    return [*dict.fromkeys("number" if name == "integer" else name for name in types)]
