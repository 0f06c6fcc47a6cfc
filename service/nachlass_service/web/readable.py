"""Numbers as people read them: the bins of a distribution, percentages, statistics."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

INTERVAL = re.compile(r"\((?P<low>[^ ,]+), (?P<high>[^ ,]+)[\])]")
MIN_DIGITS = 4
MAX_DIGITS = 17
"""Significant digits that tell any two floats apart."""
PLAIN_BELOW = 1e15
PLAIN_FROM = 1e-4


def readable_bins(bins: Sequence[str]) -> list[str]:
    """Return intervals such as `(2.093e+05, 2.73e+05]` as `209,300 to 273,000`, in order.

    All bounds are rounded to the fewest digits that keep them distinct.
    """
    edges = list(map(_edges, bins))
    finite = sorted({edge for pair in edges for edge in pair if edge is not None})
    shown: dict[float | None, str] = dict(zip(finite, readable_numbers(finite), strict=True))
    return [_interval(shown.get(low), shown.get(high)) for low, high in edges]


def readable_numbers(numbers: Sequence[float]) -> list[str]:
    """Return distinct numbers as distinct texts, rounded alike, with thousands separators."""
    texts: list[str] = []
    for digits in range(MIN_DIGITS, MAX_DIGITS + 1):
        texts = [_rounded(number, digits) for number in numbers]
        if len({*texts}) == len(texts):
            break
    return texts


def percent(share: float) -> str:
    """Return a share as a percentage with one decimal."""
    return f"{share:.1%}"


def scale(longest: float) -> tuple[float, Iterator[str]]:
    """Return the end of an axis for shares up to `longest`, and its three tick labels."""
    end = next(end for end in (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0) if end >= min(longest, 1))
    return end, (f"{100 * share:g}%" for share in (0, end / 2, end))


def _edges(interval: str) -> tuple[float | None, float | None]:
    """Return the bounds of an interval, None for an open end."""
    found = INTERVAL.fullmatch(interval)
    if found is None:
        raise ValueError(f"{interval} is no interval")
    low, high = found["low"], found["high"]
    return None if low == "-Inf" else float(low), None if high == "+Inf" else float(high)


def _interval(low: str | None, high: str | None) -> str:
    if low is None:
        return "any number" if high is None else f"below {high}"
    return f"above {low}" if high is None else f"{low} to {high}"


def _rounded(number: float, digits: int) -> str:
    """Return a number with a given number of significant digits and no trailing zeros."""
    if not number:
        return "0"
    if not PLAIN_FROM <= abs(number) < PLAIN_BELOW:
        return f"{number:.{digits}g}"
    text = f"{Decimal(f'{number:.{digits}g}'):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
