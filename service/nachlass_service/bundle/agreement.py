"""Compares predictions."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import chain
from typing import Any, Literal

RELATIVE_TOLERANCE = 1e-6
ABSOLUTE_TOLERANCE = 1e-9
"""For predictions near zero, where no relative difference is small."""
MAX_LIST_FIELDS = 20
"""A list with more random entries than this counts as one random field."""


Path = tuple[str | int, ...]
"""Keys and indices, from the outermost to the innermost."""


def agree(one: Any, other: Any, random: Set[str] = frozenset()) -> bool:
    """Return whether two predictions agree as JSON: floats to 1e-6 relative, the rest exactly.

    Fields in `random`, named as by random_fields, are compared by type only; a random
    value may be null.
    """
    return _first_difference(one, other, random, ()) is None


def first_difference(
    one: Any, other: Any, random: Set[str] = frozenset()
) -> tuple[str, Any, Any] | None:
    """Return the first innermost field in which two predictions differ and both values, or None."""
    found = _first_difference(one, other, random, ())
    return found and (name_of(found[0]), *found[1:])


def _first_difference(
    one: Any, other: Any, random: Set[str], path: Path
) -> tuple[Path, Any, Any] | None:
    """Do the work of first_difference from `path` on; paths are named only when needed."""
    if random and name_of(path) in random:
        same = one is None or other is None or _json_type(one) is _json_type(other)
        return None if same else (path, one, other)
    keys: Iterable[Any] = ()
    match one, other:
        case ((bool() | str() | None), _):
            same = type(one) is type(other) and one == other
        case ((int() | float()), (int() | float())):
            same = not isinstance(other, bool) and _is_close(one, other)
        case list(), list():
            keys, same = range(len(one)), len(one) == len(other)
        case dict(), dict():
            keys, same = one, one.keys() == other.keys()
        case _:
            same = False
    if not same:
        return path, one, other
    for key in keys:
        if found := _first_difference(one[key], other[key], random, (*path, key)):
            return found
    return None


def random_fields(pairs: Sequence[tuple[Any, Any]]) -> list[str]:
    """Return the fields that differ in any pair of predictions for the same sample.

    A field is named by its path, as in metrics: `interval.low`, `0`; "" is the
    whole prediction. A list is one field unless it has the same length in all
    predictions and few of its entries differ.
    """
    lengths: dict[Path, set[int]] = {}
    for prediction in chain.from_iterable(pairs):
        _note_lengths(prediction, (), lengths)
    paths = {path for one, other in pairs for path in _differing(one, other, (), lengths)}
    while crowded := _crowded_lists(paths, lengths):
        paths = {path[:-1] if path[:-1] in crowded and path else path for path in paths}
    return sorted(
        name_of(path)
        for path in paths
        if not any(path[:length] in paths for length in range(len(path)))
    )


def _crowded_lists(paths: Set[Path], lengths: Mapping[Path, set[int]]) -> set[Path]:
    """Return the lists that have too many random entries to name each."""
    counts = Counter(path[:-1] for path in paths if path and path[:-1] in lengths)
    return {path for path, count in counts.items() if count > MAX_LIST_FIELDS}


def _note_lengths(value: Any, path: Path, lengths: dict[Path, set[int]]) -> None:
    """Collect the lengths of all lists by path."""
    if isinstance(value, list):
        lengths.setdefault(path, set()).add(len(value))
    for key, item in _entries(value):
        if isinstance(item, list | dict):
            _note_lengths(item, (*path, key), lengths)


def _differing(
    one: Any, other: Any, path: Path, lengths: Mapping[Path, set[int]]
) -> Iterator[Path]:
    """Yield the innermost fields in which two predictions differ."""
    match one, other:
        case (list(), list()) if len(lengths[path]) == 1:
            is_one_field = False
        case dict(), dict():
            is_one_field = one.keys() != other.keys()
        case _:
            is_one_field = True
    if is_one_field:
        if not agree(one, other):
            yield path
        return
    for key, item in _entries(one):
        yield from _differing(item, other[key], (*path, key), lengths)


def _entries(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the entries of a list or object with their index or key; other values have none."""
    match value:
        case list():
            yield from enumerate(value)
        case dict():
            yield from value.items()


def name_of(path: Path) -> str:
    """Return a path as a field name: `scores.a`, `0`; keys that look like a path are quoted."""
    return ".".join(json.dumps(key) if key == "" or "." in str(key) else str(key) for key in path)


def _json_type(value: Any) -> type:
    """Return the type of a value; JSON has one type for all numbers."""
    return float if type(value) is int else type(value)


def _is_close(one: float, other: float) -> bool:
    """Return whether two numbers agree: integers exactly, floats within the tolerance."""
    if isinstance(one, int) and isinstance(other, int):
        return one == other
    return math.isclose(one, other, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)


def agreement_of(
    one: Any, other: Any, random: Set[str] = frozenset()
) -> Literal["identical", "close", "different"]:
    """Compare two predictions as JSON; "close" ones agree within the tolerance."""
    if agree(one, other, random):
        return "identical" if _text(one) == _text(other) else "close"
    return "different"


def largest_difference(
    one: Any, other: Any, random: Set[str] = frozenset(), path: Path = ()
) -> float | None:
    """Return the largest difference of corresponding numbers, relative to the larger of the two.

    None when there are no corresponding numbers outside the `random` fields. Numbers
    that differ by at most the absolute tolerance count as equal.
    """
    if random and name_of(path) in random:
        return None
    match one, other:
        case (bool(), _) | (_, bool()):
            return None
        case ((int() | float()), (int() | float())):
            distance = abs(one - other)
            return distance / max(abs(one), abs(other)) if distance > ABSOLUTE_TOLERANCE else 0.0
        case list(), list():
            shared: Iterable[Any] = range(min(len(one), len(other)))
        case dict(), dict():
            shared = one.keys() & other.keys()
        case _:
            return None
    found = [largest_difference(one[key], other[key], random, (*path, key)) for key in shared]
    return max((difference for difference in found if difference is not None), default=None)


def _text(value: Any) -> str:
    """Return a value as JSON with sorted keys; 1 is not 1.0."""
    return json.dumps(value, sort_keys=True)
