"""Whether two predictions are the same answer. Model environment."""

from __future__ import annotations

import json
import math
from typing import Any, Literal

RELATIVE_TOLERANCE = 1e-6
ABSOLUTE_TOLERANCE = 1e-9
"""For answers at zero, where no relative difference is small."""


def agree(one: Any, other: Any, *, types_only: bool = False) -> bool:
    """Compare two predictions in their JSON form: floats to 1e-6 relative, the rest exactly.

    With `types_only`, for a model that is not deterministic, values may differ
    and lists may differ in length.
    """
    match one, other:
        case ((bool() | str() | None), _):
            return type(one) is type(other) and (types_only or one == other)
        case ((int() | float()), (int() | float())):
            if isinstance(other, bool):
                return False
            if isinstance(one, int) and isinstance(other, int):
                return types_only or one == other
            return types_only or math.isclose(
                one, other, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE
            )
        case list(), list():
            if types_only:
                return True
            return len(one) == len(other) and all(map(agree, one, other))
        case dict(), dict():
            return one.keys() == other.keys() and all(
                agree(one[key], other[key], types_only=types_only) for key in one
            )
    return False


def compare(one: Any, other: Any) -> Literal["identical", "close", "different"]:
    """How two predictions in their JSON form compare: "close" agree, but are not the same JSON."""
    if agree(one, other):
        return "identical" if _text(one) == _text(other) else "close"
    return "different"


def largest_difference(one: Any, other: Any) -> float | None:
    """The largest difference of numbers at the same places, relative to the larger of the two.

    None when there are none at the same places. Numbers that differ by no more
    than the absolute tolerance count as equal.
    """
    match one, other:
        case (bool(), _) | (_, bool()):
            return None
        case ((int() | float()), (int() | float())):
            apart = abs(one - other)
            return apart / max(abs(one), abs(other)) if apart > ABSOLUTE_TOLERANCE else 0.0
        case list(), list():
            pairs = list(zip(one, other, strict=False))
        case dict(), dict():
            pairs = [(one[key], other[key]) for key in one.keys() & other.keys()]
        case _:
            return None
    found = [largest_difference(*pair) for pair in pairs]
    return max((difference for difference in found if difference is not None), default=None)


def _text(value: Any) -> str:
    """A value as JSON, whatever the order of its keys: 1 is not 1.0."""
    return json.dumps(value, sort_keys=True)
