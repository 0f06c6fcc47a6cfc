"""Makes up samples from what a manifest publishes: the input schema and the features' bins.

A candidate depends on these alone, so it reveals nothing else about the real samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, pairwise
from random import Random
from typing import Any

from nachlass_service.base.errors import NotJsonError
from nachlass_service.bundle.manifest import Counts, Features, Schema
from nachlass_service.bundle.schema import alternatives
from nachlass_service.bundle.strict_json import loads
from nachlass_service.metrics.inputs import intervals

SIMPLE: Mapping[str, Sequence[Any]] = {
    "number": (1, 0, 0.5, 10, 100, -1),
    "integer": (1, 0, 10, 100, -1),
    "string": ("text", "", "1", "2000-01-01", "2000-01-01T00:00:00"),
    "boolean": (False, True),
    "null": (None,),
}
"""Values of each type, the typical one first."""
JSON_TYPES: Mapping[type, tuple[str, ...]] = {
    bool: ("boolean",),
    int: ("integer", "number"),
    float: ("number",),
    type(None): ("null",),
}
MAX_VALUES = 1000
"""The most values in a candidate, because people read it."""
MAX_LENGTH = 3
"""The most entries of a list whose length the schema leaves open."""
MAX_DIGITS = 17
"""The most significant digits that a float needs."""


class TooLargeCandidateError(Exception):
    """A candidate would have too many values."""


def candidates(schema: Schema, features: Features, counts: Counts) -> Iterator[Any]:
    """Yield candidates without end, always the same ones, the most typical one first.

    `counts` has the number of samples in each bin of the features, as in the baseline.
    Raises TooLargeCandidateError.
    """
    bins: dict[str, _Labels | _Numbers] = {
        name: _Labels(labels, counts.get(name, {})) for name, labels in features.labels.items()
    }
    for name, bounds in features.buckets.items():
        bins[name] = _Numbers(bounds, counts.get(name, {}))
    for number in count():
        random = Random(number) if number else None  # noqa: S311 - it protects nothing
        yield _Candidate(bins, random).made(schema)


class _Labels:
    """The labels of a feature."""

    def __init__(self, labels: Sequence[str], counts: Mapping[str, float]) -> None:
        self._labels = sorted(labels, key=lambda label: -counts.get(label, 0))

    def values(self, types: Sequence[str]) -> list[Any]:
        """Return the labels as values of one of the types, the most frequent one first."""
        found: list[Any] = []
        for label in self._labels:
            if "string" in types:
                found.append(label)
                continue
            try:
                value = loads(label)
            except NotJsonError:
                continue
            if {*JSON_TYPES.get(type(value), ())} & {*types}:
                found.append(value)
        return found


class _Numbers:
    """The bins of a feature that hold samples, without those that have no end."""

    def __init__(self, bounds: Sequence[float], counts: Mapping[str, float]) -> None:
        inner = zip(pairwise(bounds), intervals(bounds)[1:-1], strict=True)
        self._bins = [edges for edges, name in inner if counts.get(name)]
        self._bins = self._bins or [(math.nextafter(bound, -math.inf), bound) for bound in bounds]

    def values(self, types: Sequence[str]) -> list[Any]:
        """Return a number of each bin if numbers are one of the types, the middle bin first."""
        if not {"integer", "number"} & {*types}:
            return []
        middle = (len(self._bins) - 1) / 2
        outwards = sorted(range(len(self._bins)), key=lambda place: abs(place - middle))
        found = (number_between(*self._bins[n], whole="number" not in types) for n in outwards)
        return [number for number in found if number is not None]


def number_between(low: float, high: float, *, whole: bool) -> float | None:
    """Return the number above `low` and up to `high` with the fewest digits, near the middle.

    Returns None if there is no whole one and it must be.
    """
    middle = low + (high - low) / 2
    if whole:
        return next((n for n in (round(middle), math.floor(high)) if low < n <= high), None)
    shortened = (float(f"{middle:.{digits}g}") for digits in range(1, MAX_DIGITS + 1))
    return next((number for number in shortened if low < number <= high), high)


class _Candidate:
    """The state of one candidate; without `random`, each choice is the typical one."""

    def __init__(self, bins: Mapping[str, _Labels | _Numbers], random: Random | None) -> None:
        self._bins, self._random, self._left = bins, random, MAX_VALUES

    def made(self, schema: Schema, path: Sequence[str] = ()) -> Any:
        """Return a value that meets a schema; `path` leads to it from the sample."""
        self._left -= 1
        if self._left < 0:
            raise TooLargeCandidateError
        by_type = _by_type(schema)
        values = self._values([*by_type], path)
        compound = [name for name in ("object", "array") if name in by_type]
        if compound and (not values or values == [None] or self._chance()):
            name = self._choice(compound)
            return getattr(self, f"_{name}")(by_type[name], path)
        return self._choice(values or [None])

    def _values(self, types: Sequence[str], path: Sequence[str]) -> list[Any]:
        """Return the plain values to choose from."""
        bins = self._bins.get("".join(path)) if len(path) < 2 else None  # noqa: PLR2004 - features are no deeper
        known = bins.values(types) if bins else []
        simple = [value for name in types for value in SIMPLE.get(name, ()) if name != "null"]
        return [*(known or simple), *([None] if "null" in types else [])]

    def _object(self, schema: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any]:
        properties, required = schema.get("properties", {}), schema.get("required", ())
        return {
            name: self.made(inside, (*path, name))
            for name, inside in properties.items()
            if name in required or not self._chance()
        }

    def _array(self, schema: Mapping[str, Any], path: Sequence[str]) -> list[Any]:
        length = schema.get("minItems")
        if length is None:
            length = self._choice(range(1, MAX_LENGTH + 1))
        items = schema.get("items", True)
        return [self.made(items, (*path, str(place))) for place in range(length)]

    def _choice(self, values: Sequence[Any]) -> Any:
        # Only `random` is the same in every version of Python.
        return values[int(self._random.random() * len(values)) if self._random else 0]

    def _chance(self) -> bool:
        return self._random is not None and self._random.random() < 0.5  # noqa: PLR2004 - even odds


def _by_type(schema: Schema) -> dict[str, Mapping[str, Any]]:
    """Return the schema's types, each with the alternative that describes it."""
    found: dict[str, Mapping[str, Any]] = {}
    for alternative in alternatives(schema):
        declared = alternative.get("type", ())
        for name in [declared] if isinstance(declared, str) else declared:
            found.setdefault(name, alternative)
    return found
