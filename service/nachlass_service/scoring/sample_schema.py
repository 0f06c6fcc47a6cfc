"""Compares a sample with those of the build, in words for whoever sent it.

The schema explains, it does not gate: the validator and the predictor are asked first, and
only a sample that they refuse is compared. With S2I_STRICT_SCHEMA=1 each is, before them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TypeVar

from nachlass_service.base.errors import (
    PredictorError,
    RefusedError,
    SampleSchemaError,
    ServiceError,
)
from nachlass_service.bundle.manifest import Schema
from nachlass_service.bundle.schema import alternatives, inner, types_of

Answer = TypeVar("Answer")

MOST_NAMED = 3
"""Differences, and names of fields, that are told; that there are more is told, too."""
LONGEST_NAME = 40
SEPARATORS = ";\t|"
NOT_THE_CALLERS = (ImportError, MemoryError)
"""What a predictor raises whatever the sample is."""
NAMES = {
    "array": "a list",
    "object": "an object",
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}


class SampleSchema:
    """What the samples of the build were like; with `is_strict`, others are refused."""

    def __init__(self, schema: Schema, *, is_strict: bool = False) -> None:
        self._schema, self._is_strict = schema, is_strict

    def check(self, sample: Any, *, is_list: bool = False) -> None:
        """Raise SampleSchemaError for a sample, or a list of some, that differs, if strict."""
        if self._is_strict and (found := self._difference(sample, is_list=is_list)):
            raise SampleSchemaError(found)

    def explaining(
        self, ask: Callable[[Any], Answer], sample: Any, *, is_list: bool = False
    ) -> Answer:
        """What the model answers to a sample, or a list of some, when it is asked.

        Raises what it raises, or SampleSchemaError instead.
        """
        # The model may take fields out of what it is given.
        sent = sample.copy() if isinstance(sample, dict | list) else sample
        try:
            return ask(sample)
        except ServiceError as error:
            raise self._explained(error, sent, is_list=is_list) from error.__cause__

    def _explained(self, error: ServiceError, sample: Any, *, is_list: bool) -> ServiceError:
        """Why a sample has no prediction: how it differs, or else what was raised."""
        if not isinstance(error, RefusedError | PredictorError):
            return error
        if isinstance(error.__cause__, NOT_THE_CALLERS):
            return error
        if not (found := self._difference(sample, is_list=is_list)):
            return error
        return SampleSchemaError(found)

    def _difference(self, sample: Any, *, is_list: bool) -> str | None:
        if not is_list:
            return difference(self._schema, sample)
        found = ((place, difference(self._schema, one)) for place, one in enumerate(sample))
        return next((f"entry {place}: {told}" for place, told in found if told), None)


def difference(schema: Schema, sample: Any) -> str | None:
    """How a sample differs from all that the schema was made of; None when it does not."""
    found = [*islice(_differences(schema, sample, ""), MOST_NAMED + 1)]
    if not found:
        return None
    if isinstance(sample, list) and sample and not any(_differences(schema, sample[0], "")):
        return (
            "this is a list of samples: send one as it is, "
            "or many as application/x-ndjson, one a line"
        )
    return "; ".join(found[:MOST_NAMED]) + ("; and more" if len(found) > MOST_NAMED else "")


def _differences(schema: Schema, value: Any, pointer: str) -> Iterator[str]:
    """The differences of a value, whose JSON pointer (RFC 6901) in the sample is given."""
    if not isinstance(schema, dict):
        return
    what = f"`{pointer}`" if pointer else "the sample"
    types = types_of(schema)
    if types and not types & _types(value):
        wanted = " or ".join(NAMES[name] for name in sorted(types))
        yield f"{what} is {_name_of(value)}, not {wanted}"
    elif isinstance(value, dict):
        yield from _lacking(schema, value, what)
        for name, inside in value.items():
            escaped = name.replace("~", "~0").replace("/", "~1")
            below = f"{pointer}/{_cut(escaped)}"
            yield from _differences(inner(schema, "properties", name), inside, below)
    elif isinstance(value, list):
        for least, most in _lengths(schema):
            if not least <= len(value) <= most:
                yield f"{what} has length {len(value)}, not {least}"
        items = inner(schema, "items")
        for place, inside in enumerate(value):
            yield from _differences(items, inside, f"{pointer}/{place}")


def _lacking(schema: Schema, value: dict[str, Any], what: str) -> Iterator[str]:
    """The fields that all samples had, and those that none had instead."""
    known: dict[str, None] = {}
    needed: dict[str, None] = {}
    for alternative in alternatives(schema):
        known |= dict.fromkeys(alternative.get("properties", ()))
        needed |= dict.fromkeys(alternative.get("required", ()))
    lacking = [name for name in needed if name not in value]
    if not lacking:
        return
    told = f"{what} lacks {len(lacking)} of {len(known)} fields: {_listed(lacking)}"
    if others := [name for name in value if name not in known]:
        told += f"; it has {_listed(others)}, which no sample had"
        if len(value) == 1 and (found := set(others[0]) & set(SEPARATORS)):
            told += f": is the separator of its columns {min(found)!r}? Send commas"
    yield told


def _lengths(schema: Schema) -> Iterator[tuple[int, int]]:
    for alternative in alternatives(schema):
        if "minItems" in alternative:
            yield alternative["minItems"], alternative["maxItems"]


def _types(value: Any) -> set[str]:
    """The types of JSON Schema that a value has: 1 and 1.0 are whole numbers, and numbers."""
    match value:
        case None:
            return {"null"}
        case bool():
            return {"boolean"}
        case str():
            return {"string"}
        case list():
            return {"array"}
        case dict():
            return {"object"}
        case float() if not value.is_integer():
            return {"number"}
        case _:
            return {"integer", "number"}


def _name_of(value: Any) -> str:
    return NAMES[min(_types(value) - {"integer"})]


def _listed(names: list[str]) -> str:
    told = [f"`{_cut(name)}`" for name in names[:MOST_NAMED]]
    return ", ".join(told) + (", ..." if len(names) > MOST_NAMED else "")


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
