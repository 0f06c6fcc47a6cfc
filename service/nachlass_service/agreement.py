"""Whether two predictions are the same answer. Model environment."""

from __future__ import annotations

import math
from typing import Any

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
