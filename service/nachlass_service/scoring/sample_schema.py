"""Compares a sample with those of the build, in words for whoever sent it.

The schema explains, it does not gate: the validator and the predictor are asked first, and
only a sample that they refuse is compared. With S2I_STRICT_SCHEMA=1 each is, before them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import islice, repeat
from typing import Any

from nachlass_service.base.errors import (
    PredictorError,
    RefusedError,
    SampleSchemaError,
    ServiceError,
)
from nachlass_service.bundle.manifest import Schema
from nachlass_service.bundle.model import describe
from nachlass_service.bundle.schema import alternatives, inner, types_of

MOST_NAMED = 3
"""Differences, and names of fields, that are told; that there are more is told, too."""
LONGEST_NAME = 40
SEPARATORS = ";\t|"
MOST_COMPARED = 1000
"""Values of a sample that are compared to explain a failure, in the predictor's time."""
NOT_THE_CALLERS = (ImportError, MemoryError, OSError, RecursionError)
"""What a predictor raises whatever the sample is: it lacks a file, or a service that it asks."""
NAMES = {
    "array": "a list",
    "object": "an object",
    "string": "a text",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
KINDS = {
    list: "array",
    dict: "object",
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
}
"""The types of JSON Schema, by Python's; samples without a fraction do not exclude one."""


class SampleSchema:
    """What the samples of the build were like; with `is_strict`, others are refused."""

    def __init__(self, schema: Schema, *, is_strict: bool = False) -> None:
        self._schema, self._is_strict = schema, is_strict

    def check(self, sample: Any, *, is_list: bool = False) -> None:
        """Raise SampleSchemaError for a sample, or a list of some, that differs, if strict."""
        if self._is_strict and (found := self._difference(sample, repeat(0), is_list=is_list)):
            raise SampleSchemaError(found)

    def explain(
        self, error: ServiceError, again: Callable[[], Any], *, is_list: bool = False
    ) -> ServiceError:
        """What is to be raised for a model that refused a sample, or a list of some, or failed.

        That is the error, or a SampleSchemaError in its place. `again` reads the sample
        anew: the model may have changed what it was given.
        """
        if self._is_strict or not isinstance(self._schema, dict):
            return error
        if not isinstance(error, RefusedError | PredictorError):
            return error
        if not _may_be_the_callers(error.__cause__):
            return error
        found = self._difference(again(), iter(range(MOST_COMPARED)), is_list=is_list)
        if found is None:
            return error
        explained = SampleSchemaError(found)
        explained.__cause__ = error.__cause__
        return explained

    def _difference(self, sample: Any, budget: Iterator[int], *, is_list: bool) -> str | None:
        if not is_list:
            return difference(self._schema, sample, budget)
        found = ((place, difference(self._schema, one, budget)) for place, one in enumerate(sample))
        return next((f"entry {place}: {told}" for place, told in found if told), None)


def _may_be_the_callers(cause: BaseException | None) -> bool:
    """Whether a failure, or a refusal without one, may be for what the sample is."""
    if cause is None:
        return True
    is_own = isinstance(cause, NOT_THE_CALLERS) or not isinstance(cause, Exception)
    return not (is_own or "out of memory" in describe(cause))


def difference(schema: Schema, sample: Any, budget: Iterator[int]) -> str | None:
    """How a sample differs from all that the schema was made of; None when it does not.

    As many of its values are compared as the budget has entries.
    """
    found = [*islice(_differences(schema, sample, "", budget), MOST_NAMED + 1)]
    if not found:
        return None
    is_list = isinstance(sample, list) and sample
    if is_list and not any(_differences(schema, sample[0], "", iter(range(MOST_COMPARED)))):
        return (
            "this is a list of samples: send one as it is, "
            "or many as application/x-ndjson, one a line"
        )
    return "; ".join(found[:MOST_NAMED]) + ("; and more" if len(found) > MOST_NAMED else "")


def _differences(
    schema: Schema, value: Any, pointer: str, budget: Iterator[int]
) -> Generator[str, None, bool]:
    """The differences of a value, whose JSON pointer (RFC 6901) in the sample is given.

    Returns whether anything is left of the budget: if not, nothing more is looked at.
    """
    if not isinstance(schema, dict):
        return True
    if next(budget, None) is None:
        return False
    what = f"`{pointer}`" if pointer else "the sample"
    types = _kinds(schema)
    if types and KINDS[type(value)] not in types:
        wanted = " or ".join(NAMES[name] for name in sorted(types))
        yield f"{what} is {NAMES[KINDS[type(value)]]}, not {wanted}"
    elif isinstance(value, dict):
        yield from _lacking(schema, value, what)
        for name, inside in value.items():
            escaped = name.replace("~", "~0").replace("/", "~1")
            below = f"{pointer}/{_cut(escaped)}"
            of_field = inner(schema, "properties", name)
            if not (yield from _differences(of_field, inside, below, budget)):
                return False
    elif isinstance(value, list):
        for length in _lengths(schema):
            if len(value) != length:
                yield f"{what} has length {len(value)}, not {length}"
        return (yield from _of_entries(inner(schema, "items"), value, pointer, budget))
    return True


def _of_entries(
    schema: Schema, values: list[Any], pointer: str, budget: Iterator[int]
) -> Generator[str, None, bool]:
    """As `_differences`, of the entries of a list."""
    plain = _kinds(schema) - {"array", "object"}
    for place, value in enumerate(values):
        if KINDS[type(value)] in plain:  # most are: an image has a million of them
            if next(budget, None) is None:
                return False
        elif not (yield from _differences(schema, value, f"{pointer}/{place}", budget)):
            return False
    return True


def _kinds(schema: Schema) -> frozenset[str]:
    """The types that a schema allows, numbers being numbers; none when nothing is known."""
    return frozenset("number" if name == "integer" else name for name in types_of(schema))


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


def _lengths(schema: Schema) -> Iterator[int]:
    """The one length that the lists of the samples had, if they had one."""
    for alternative in alternatives(schema):
        if "minItems" in alternative:
            yield alternative["minItems"]


def _listed(names: list[str]) -> str:
    told = [f"`{_cut(name)}`" for name in names[:MOST_NAMED]]
    return ", ".join(told) + (", ..." if len(names) > MOST_NAMED else "")


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
