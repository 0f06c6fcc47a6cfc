"""Compares a sample with those of the build, and describes the differences to the client.

The schema explains failures, it does not gate: only a sample that the validator or the
predictor rejects is compared. With S2I_STRICT_SCHEMA=1 each sample is compared before.
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

MAX_NAMED = 3
"""The most differences, and the most field names, in a message."""
MAX_NAME_LENGTH = 40
SEPARATORS = ";\t|"
MAX_COMPARED = 1000
"""The most values that are compared to explain a failure, within the predictor's timeout."""
NOT_CALLERS_FAULT = (ImportError, MemoryError, OSError, RecursionError)
"""Exceptions that do not depend on the sample: a file or a remote service is missing."""
NAMES = {
    "array": "a list",
    "object": "an object",
    "string": "a string",
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
"""JSON Schema types by Python type; integer samples do not exclude fractions."""


class SampleSchema:
    """The schema of the build's samples; with `is_strict`, other samples are rejected."""

    def __init__(self, schema: Schema, *, is_strict: bool = False) -> None:
        self._schema, self._is_strict = schema, is_strict

    def check(self, sample: Any, *, is_list: bool = False) -> None:
        """If strict, raise SampleSchemaError for a sample, or a list of samples, that differs."""
        if self._is_strict and (found := self._difference(sample, repeat(0), is_list=is_list)):
            raise SampleSchemaError(found)

    def explain(
        self, error: ServiceError, reread: Callable[[], Any], *, is_list: bool = False
    ) -> ServiceError:
        """Return the error to raise when a model rejects a sample (or a list) or fails on it.

        This is the error itself, or a SampleSchemaError if the sample differs. `reread` reads
        the sample again, because a model may change its samples.
        """
        if self._is_strict or not isinstance(self._schema, dict):
            return error
        if not isinstance(error, RefusedError | PredictorError):
            return error
        if not _may_be_callers_fault(error.__cause__):
            return error
        found = self._difference(reread(), iter(range(MAX_COMPARED)), is_list=is_list)
        if found is None:
            return error
        explained = SampleSchemaError(found)
        explained.__cause__ = error.__cause__
        return explained

    def _difference(self, sample: Any, budget: Iterator[int], *, is_list: bool) -> str | None:
        if not is_list:
            return difference(self._schema, sample, budget)
        found = ((place, difference(self._schema, one, budget)) for place, one in enumerate(sample))
        return next((f"entry {place}: {text}" for place, text in found if text), None)


def _may_be_callers_fault(cause: BaseException | None) -> bool:
    """Return whether the sample may be the cause of a failure, or of a rejection without one."""
    if cause is None:
        return True
    is_own = isinstance(cause, NOT_CALLERS_FAULT) or not isinstance(cause, Exception)
    return not (is_own or "out of memory" in describe(cause))


def difference(schema: Schema, sample: Any, budget: Iterator[int]) -> str | None:
    """Describe how a sample differs from the schema; None when it does not.

    The length of `budget` limits the number of values compared.
    """
    found = [*islice(_differences(schema, sample, "", budget), MAX_NAMED + 1)]
    if not found:
        return None
    is_list = isinstance(sample, list) and sample
    if is_list and not any(_differences(schema, sample[0], "", iter(range(MAX_COMPARED)))):
        return (
            "this is a list of samples: send a single sample, "
            "or many as application/x-ndjson, one per line"
        )
    return "; ".join(found[:MAX_NAMED]) + ("; and more" if len(found) > MAX_NAMED else "")


def _differences(
    schema: Schema, value: Any, pointer: str, budget: Iterator[int]
) -> Generator[str, None, bool]:
    """Yield the differences of a value; `pointer` is its JSON pointer (RFC 6901) in the sample.

    Returns whether any budget is left; without any, the comparison ends.
    """
    if not isinstance(schema, dict):
        return True
    if next(budget, None) is None:
        return False
    subject = f"`{pointer}`" if pointer else "the sample"
    types = _kinds(schema)
    if types and KINDS[type(value)] not in types:
        expected = " or ".join(NAMES[name] for name in sorted(types))
        yield f"{subject} is {NAMES[KINDS[type(value)]]}, not {expected}"
    elif isinstance(value, dict):
        yield from _lacking(schema, value, subject)
        for name, inside in value.items():
            escaped = name.replace("~", "~0").replace("/", "~1")
            below = f"{pointer}/{_cut(escaped)}"
            of_field = inner(schema, "properties", name)
            if not (yield from _differences(of_field, inside, below, budget)):
                return False
    elif isinstance(value, list):
        for length in _lengths(schema):
            if len(value) != length:
                yield f"{subject} has length {len(value)}, not {length}"
        return (yield from _of_entries(inner(schema, "items"), value, pointer, budget))
    return True


def _of_entries(
    schema: Schema, values: list[Any], pointer: str, budget: Iterator[int]
) -> Generator[str, None, bool]:
    """Yield the differences of the entries of a list, like `_differences`."""
    plain = _kinds(schema) - {"array", "object"}
    for place, value in enumerate(values):
        if KINDS[type(value)] in plain:  # a fast path, as an image has a million entries
            if next(budget, None) is None:
                return False
        elif not (yield from _differences(schema, value, f"{pointer}/{place}", budget)):
            return False
    return True


def _kinds(schema: Schema) -> frozenset[str]:
    """Return the types that a schema allows, integers as numbers; empty when unknown."""
    return frozenset("number" if name == "integer" else name for name in types_of(schema))


def _lacking(schema: Schema, value: dict[str, Any], subject: str) -> Iterator[str]:
    """Describe missing required fields, and unknown fields found instead."""
    known: dict[str, None] = {}
    needed: dict[str, None] = {}
    for alternative in alternatives(schema):
        known |= dict.fromkeys(alternative.get("properties", ()))
        needed |= dict.fromkeys(alternative.get("required", ()))
    missing = [name for name in needed if name not in value]
    if not missing:
        return
    text = f"{subject} lacks {len(missing)} of {len(known)} fields: {_listed(missing)}"
    if unknown := [name for name in value if name not in known]:
        text += f"; it has {_listed(unknown)}, which no sample of the build has"
        if len(value) == 1 and (found := set(unknown[0]) & set(SEPARATORS)):
            text += f": if the columns are separated by {min(found)!r}, send commas instead"
    yield text


def _lengths(schema: Schema) -> Iterator[int]:
    """Yield the common length of the samples' lists, if there is one."""
    for alternative in alternatives(schema):
        if "minItems" in alternative:
            yield alternative["minItems"]


def _listed(names: list[str]) -> str:
    listed = [f"`{_cut(name)}`" for name in names[:MAX_NAMED]]
    return ", ".join(listed) + (", ..." if len(names) > MAX_NAMED else "")


def _cut(name: str) -> str:
    return name if len(name) <= MAX_NAME_LENGTH else f"{name[:MAX_NAME_LENGTH]}..."
