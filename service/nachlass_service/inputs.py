"""Which bin each feature of a sample is in: the distribution of what is asked. Model environment.

The bins are laid out by the build (`input.features` of the manifest): a few
features, each with labels or with upper bounds of buckets. Whatever is in none
of a feature's bins, a missing value among it, is in its last one, `other`.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from prometheus_client.utils import floatToGoString

OTHER = "other"


class Inputs:
    """The features of a model's samples; `bins` has the names of each one's bins."""

    def __init__(self, features: Mapping[str, Any]) -> None:
        self._labels: dict[str, dict[str, int]] = {
            feature: {label: position for position, label in enumerate(labels)}
            for feature, labels in features["labels"].items()
        }
        self._bounds: dict[str, Sequence[float]] = features["buckets"]
        self.bins: dict[str, list[str]] = {
            **{feature: [*labels, OTHER] for feature, labels in self._labels.items()},
            **{feature: [*intervals(bounds), OTHER] for feature, bounds in self._bounds.items()},
        }
        self._features = list(self.bins)
        self._positions = [int(f) if f.isascii() and f.isdigit() else -1 for f in self._features]

    def ordered(self, feature: str) -> list[str]:
        """The bins of a feature's numbers, from the smallest up; none when it has labels."""
        return self.bins[feature][:-1] if feature in self._bounds else []

    def look_at(self, sample: Any) -> Iterator[tuple[str, int]]:
        """Each feature with the position of the bin that the sample is in."""
        for feature, position in zip(self._features, self._positions, strict=True):
            if isinstance(sample, dict):
                value = sample.get(feature)
            elif not isinstance(sample, list):
                value = sample if feature == "" else None
            else:
                value = sample[position] if 0 <= position < len(sample) else None
            bounds = self._bounds.get(feature)
            if bounds is None:
                labels = self._labels[feature]
                yield feature, labels.get(_text(value), len(labels))
            else:
                number = finite(value)
                yield feature, len(bounds) + 1 if number is None else bisect_left(bounds, number)


def intervals(bounds: Sequence[float]) -> list[str]:
    """The names of buckets, as intervals: `(-Inf, 0.1]`, `(0.1, 2.5]`, `(2.5, +Inf)`."""
    edges = ["-Inf", *map(floatToGoString, bounds), "+Inf"]
    closed = [f"({low}, {high}]" for low, high in pairwise(edges)]
    return [*closed[:-1], closed[-1][:-1] + ")"]


def finite(value: Any) -> float | None:
    """A number as a finite float; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer beyond any float
        return None
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    """A value as a label: text as it is, 1.0 as 1, the rest as JSON; no lists and objects."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if isinstance(value, list | dict) else json.dumps(value)
