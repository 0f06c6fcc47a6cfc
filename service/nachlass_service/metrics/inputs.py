"""Counts the features of samples in bins, for the distribution of the input.

The build defines the bins (`input.features` in the manifest): a few features,
each with labels or with upper bounds of buckets. Values in no other bin, including
missing ones, are counted in a feature's last bin, `other`. Labels are values of
samples: they are replaced by numbers where samples must not be shown.
"""

from __future__ import annotations

import json
import math
import sys
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, islice, pairwise
from typing import Any

from prometheus_client.utils import floatToGoString

from nachlass_service.bundle.manifest import Counts, Features

OTHER = "other"


class Inputs:
    """The features of a model's samples; `bins` has the names of each feature's bins.

    The bins of all features are consecutive cells of one row. Without `named`, labels
    are `#1`, `#2`, ... in the manifest's order.
    """

    def __init__(self, features: Features, *, named: bool = True) -> None:
        labels = features.labels
        self._bounds = features.buckets
        self._shown = {
            feature: {label: label if named else f"#{n}" for n, label in enumerate(found, start=1)}
            for feature, found in labels.items()
        }
        self.bins: dict[str, list[str]] = {
            **{feature: [*shown.values(), OTHER] for feature, shown in self._shown.items()},
            **{feature: [*intervals(self._bounds[feature]), OTHER] for feature in self._bounds},
        }
        starts = [0, *accumulate(map(len, self.bins.values()))]
        self.width = starts.pop()
        self._plan = [
            (
                feature,
                int(feature) if feature.isascii() and feature.isdigit() else sys.maxsize,
                start,
                self._bounds.get(feature),
                {label: number for number, label in enumerate(labels.get(feature, ()))},
            )
            for start, feature in zip(starts, self.bins, strict=True)
        ]

    def ordered(self, feature: str) -> list[str]:
        """Return the bins of a feature's numbers in ascending order; empty if it has labels."""
        return self.bins[feature][:-1] if feature in self._bounds else []

    def bin_features(self, sample: Any) -> list[int]:
        """Return the cell of each feature's bin for a sample."""
        cells = []
        is_list, is_object = isinstance(sample, list), isinstance(sample, dict)
        for feature, index, start, bounds, labels in self._plan:
            if is_list:
                value = sample[index] if index < len(sample) else None
            elif is_object:
                value = sample.get(feature)
            else:
                value = None if feature else sample
            if bounds is None:
                cells.append(start + labels.get(_text(value), len(labels)))
            elif (number := finite(value)) is None:
                cells.append(start + len(bounds) + 1)
            else:
                cells.append(start + bisect_left(bounds, number))
        return cells

    def shown(self, counts: Counts) -> Counts:
        """Rename counts from the manifest's labels to the names of the bins."""
        return {
            feature: {self._shown.get(feature, {}).get(name, name): n for name, n in values.items()}
            for feature, values in counts.items()
        }

    def counts(self, row: Sequence[float]) -> Counts:
        """Convert a row of cells to counts by feature and bin."""
        cells = iter(row)
        return {
            feature: dict(zip(bins, islice(cells, len(bins)), strict=True))
            for feature, bins in self.bins.items()
        }


def intervals(bounds: Sequence[float]) -> list[str]:
    """Return bucket names as intervals: `(-Inf, 0.1]`, `(0.1, 2.5]`, `(2.5, +Inf)`."""
    edges = ["-Inf", *map(floatToGoString, bounds), "+Inf"]
    closed = [f"({low}, {high}]" for low, high in pairwise(edges)]
    return [*closed[:-1], closed[-1][:-1] + ")"]


def finite(value: Any) -> float | None:
    """Return a number as a finite float; None for other values."""
    if type(value) is float:  # the most frequent case
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer too large for a float
        return None
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    """Return a value as a label: text as it is, 1.0 as 1, "" for lists and objects, else JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if isinstance(value, list | dict) else json.dumps(value)
