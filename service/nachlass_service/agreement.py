"""Whether two predictions are the same answer. Model environment."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

RELATIVE_TOLERANCE = 1e-6
ABSOLUTE_TOLERANCE = 1e-9
"""For answers at zero, where no relative difference is small."""


def agree(one: Any, other: Any, random: Collection[str] = (), field: str = "") -> bool:
    """Compare two predictions in their JSON form: floats to 1e-6 relative, the rest exactly.

    Of the fields in `random`, as random_fields names them, only the types are
    compared. `field` is the path of what is compared.
    """
    if field in random:
        return _json_type(one) is _json_type(other)
    match one, other:
        case ((bool() | str() | None), _):
            return type(one) is type(other) and bool(one == other)
        case ((int() | float()), (int() | float())):
            return not isinstance(other, bool) and _is_close(one, other)
        case list(), list():
            keys: Iterable[Any] = range(len(one))
            same = len(one) == len(other)
        case dict(), dict():
            keys, same = one, one.keys() == other.keys()
        case _:
            return False
    return same and all(agree(one[key], other[key], random, _inside(field, key)) for key in keys)


def random_fields(pairs: Sequence[tuple[Any, Any]]) -> list[str]:
    """The fields in which two predictions for the same sample differ, of all such pairs.

    A field is named by its path, as in metrics: `interval.low`, `0`; "" is the
    whole prediction. A list is one field unless all predictions have as many
    entries there.
    """
    lengths: dict[str, set[int]] = {}
    found: dict[str, None] = {}
    for one, other in pairs:
        _note_lengths(one, "", lengths)
        _note_lengths(other, "", lengths)
    for one, other in pairs:
        found.update(dict.fromkeys(_differing(one, other, "", lengths)))
    return [field for field in found if not _is_inside(field, found)]


def _note_lengths(value: Any, field: str, lengths: dict[str, set[int]]) -> None:
    """Collect the lengths of the lists at each path."""
    if isinstance(value, list):
        lengths.setdefault(field, set()).add(len(value))
    for key, item in _entries(value):
        _note_lengths(item, _inside(field, key), lengths)


def _differing(one: Any, other: Any, field: str, lengths: Mapping[str, set[int]]) -> Iterator[str]:
    """The innermost fields in which two predictions differ."""
    match one, other:
        case (list(), list()) if len(lengths[field]) == 1:
            is_one_field = False
        case dict(), dict():
            is_one_field = one.keys() != other.keys()
        case _:
            is_one_field = True
    if is_one_field:
        if not agree(one, other):
            yield field
        return
    for key, item in _entries(one):
        yield from _differing(item, other[key], _inside(field, key), lengths)


def _entries(value: Any) -> Iterator[tuple[Any, Any]]:
    """The entries of a list or object with their index or key; none of anything else."""
    match value:
        case list():
            yield from enumerate(value)
        case dict():
            yield from value.items()


def _json_type(value: Any) -> type:
    """The type of a value, of which JSON has one for all numbers."""
    return float if type(value) is int else type(value)


def _inside(field: str, key: object) -> str:
    """The path of an entry of a field."""
    return f"{field}.{key}" if field else str(key)


def _is_inside(field: str, others: Collection[str]) -> bool:
    """Whether a field is part of another one that is named."""
    return any(other != field and (not other or field.startswith(f"{other}.")) for other in others)


def _is_close(one: float, other: float) -> bool:
    """Whether two numbers are the same: integers exactly, floats within the tolerance."""
    if isinstance(one, int) and isinstance(other, int):
        return one == other
    return math.isclose(one, other, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)


def compare(
    one: Any, other: Any, random: Collection[str] = ()
) -> Literal["identical", "close", "different"]:
    """How two predictions in their JSON form compare: "close" agree, but are not the same JSON."""
    if agree(one, other, random):
        return "identical" if _text(one) == _text(other) else "close"
    return "different"


def largest_difference(
    one: Any, other: Any, random: Collection[str] = (), field: str = ""
) -> float | None:
    """The largest difference of numbers at the same places, relative to the larger of the two.

    None when there are none at the same places outside of the `random` fields.
    Numbers that differ by no more than the absolute tolerance count as equal.
    """
    if field in random:
        return None
    match one, other:
        case (bool(), _) | (_, bool()):
            return None
        case ((int() | float()), (int() | float())):
            apart = abs(one - other)
            return apart / max(abs(one), abs(other)) if apart > ABSOLUTE_TOLERANCE else 0.0
        case list(), list():
            shared: Iterable[Any] = range(min(len(one), len(other)))
        case dict(), dict():
            shared = one.keys() & other.keys()
        case _:
            return None
    found = [
        largest_difference(one[key], other[key], random, _inside(field, key)) for key in shared
    ]
    return max((difference for difference in found if difference is not None), default=None)


def _text(value: Any) -> str:
    """A value as JSON, whatever the order of its keys: 1 is not 1.0."""
    return json.dumps(value, sort_keys=True)
