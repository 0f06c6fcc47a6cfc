"""Counts predictions by field, and by label or bucket.

The build defines fields, labels and buckets (`prediction` in the manifest). New fields
and labels are added while there is room; the rest is counted as `other`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from nachlass_service.bundle.manifest import Counts, Prediction
from nachlass_service.metrics.inputs import finite, intervals
from nachlass_service.metrics.series import observe, width_of
from nachlass_service.metrics.shared_counters import Series, SharedCounters

MAX_FIELDS = 50
MAX_LABELS = 100
MAX_LABEL_LENGTH = 128
MAX_VALUES = 1000
"""The most values that are counted in one prediction: an image has millions."""
OTHER = "other"
"""The field and the label for values beyond the limits."""


class Predictions:
    """The fields of predictions, from the manifest's section `prediction`.

    A field with only labels counts each value as a label; a field with only buckets counts
    numbers in them; a field with both, or a new one, counts floats as numbers and the rest
    as labels.
    """

    def __init__(self, prediction: Prediction) -> None:
        self._labels: dict[str, Sequence[str]] = _named(prediction.labels)
        self._buckets: dict[str, Sequence[float]] = _named(prediction.buckets)
        self._ladder: Sequence[float] = prediction.ladder
        self._full: set[str] = set()  # fields at the label limit
        self._all_fields: set[str] = set()  # empty until the field limit is reached

    @property
    def layout(self) -> tuple[Any, ...]:
        """The configuration that has to be equal for counts to have the same meaning."""
        return self._labels, self._buckets, self._ladder

    def known(self) -> Iterator[tuple[Series, int]]:
        """Yield the series that exist from the start, with the number of cells of each."""
        for field, labels in self._labels.items():
            for label in dict.fromkeys(map(label_of, labels[:MAX_LABELS])):
                yield ("label", field, label), 1
        for field, bounds in self._buckets.items():
            yield ("number", field), width_of(bounds)

    def bounds(self, field: str) -> Sequence[float]:
        """Return the upper bounds of a field's buckets."""
        return self._buckets.get(field) or self._ladder

    def ordered(self, field: str) -> list[str]:
        """Return the bins of a field's numbers in ascending order; empty if it has only labels."""
        return intervals(self._buckets[field]) if field in self._buckets else []

    def by_value(self, rows: Mapping[Series, Sequence[float]]) -> tuple[Counts, Counts]:
        """Convert rows of the counters to counts of labels, and counts of numbers by interval."""
        labels: Counts = {}
        bins: Counts = {}
        for (kind, *name), row in rows.items():
            if kind == "label":
                labels.setdefault(name[0], {})[name[1]] = row[0]
            elif kind == "number":
                names = intervals(self.bounds(name[0]))
                bins[name[0]] = dict(zip(names, row[:-1], strict=True))
        return labels, bins

    def count(self, predictions: Sequence[Any], counters: SharedCounters) -> None:
        """Count predictions in their JSON form, grouping equal plain ones."""
        plain: dict[tuple[type, Any], int] = {}
        for prediction in predictions:
            if isinstance(prediction, dict | list):
                for field, value in islice(plain_values(prediction), MAX_VALUES):
                    self._count_value(field, value, counters)
            else:
                key = (type(prediction), prediction)  # 1, 1.0 and True are equal
                plain[key] = plain.get(key, 0) + 1
        for (_kind, prediction), times in plain.items():
            self._count_value("", prediction, counters, times)

    def _count_value(self, path: str, value: Any, counters: SharedCounters, times: int = 1) -> None:
        """Count a plain value, as a number or as a label."""
        field = _label_text(path)
        number = finite(value)
        labels_only = field in self._labels and field not in self._buckets
        numbers_only = field in self._buckets and field not in self._labels
        if number is not None and not labels_only and (numbers_only or isinstance(value, float)):
            series = self._place(counters, ("number", field), ("number", OTHER))
            observe(counters, series, self.bounds(series[1]), number, times)
        else:
            label = label_of(value)
            own, rest = ("label", field, label), ("label", field, OTHER)
            series = self._place(counters, own, rest, ("label", OTHER, OTHER))
            counters.count(series, amount=times)

    def _place(self, counters: SharedCounters, *candidates: Series) -> Series:
        """Return the first of the series that exists or can be entered."""
        for series in candidates:
            if series in counters:
                return series
            if self._is_refused(series):
                continue
            width = 1 if series[0] == "label" else width_of(self.bounds(series[1]))
            if counters.enter(series, width, partial(self._may_enter, series)):
                return series
        return candidates[-1]

    def _may_enter(self, new: Series, existing: Sequence[Series]) -> bool:
        """Return whether another field, or another label of a field, is within the limits."""
        fields = {series[1] for series in existing if series[0] in ("label", "number")}
        fields |= self._labels.keys() | self._buckets.keys() | {OTHER}
        if new[1] not in fields and len(fields) > MAX_FIELDS:
            self._all_fields = fields
        elif new[0] == "label" and sum(series[:2] == new[:2] for series in existing) >= MAX_LABELS:
            self._full.add(new[1])
        return not self._is_refused(new)

    def _is_refused(self, new: Series) -> bool:
        """Return whether a series is already known to exceed the limits."""
        kind, field, *label = new
        if self._all_fields and field not in self._all_fields:
            return True
        return kind == "label" and label != [OTHER] and field in self._full


def plain_values(prediction: Any) -> Iterator[tuple[str, Any]]:
    """Yield the plain values in a prediction, each with its field: `0`, `scores.a`, or ``."""
    # No recursion: a value from a thread with a larger stack may be too deep for this one.
    levels = [iter([("", prediction)])]
    while levels:
        for path, value in levels[-1]:
            if isinstance(value, dict | list):
                levels.append(_inside(path, value))
                break
            yield path, value
        else:
            levels.pop()


def _inside(path: str, value: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the items of a list or object, each with its path."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield f"{path}.{key}" if path else str(key), item


def label_of(value: Any) -> str:
    """Return a value as a label: text as it is, the rest as JSON, shortened to the limit."""
    if type(value) is int:
        return _label_text(str(value))
    return _label_text(value if isinstance(value, str) else json.dumps(value))


def _label_text(text: str) -> str:
    """Return a text that is valid in metrics: shortened, and with lone surrogates escaped."""
    if len(text) <= MAX_LABEL_LENGTH and text.isascii():
        return text
    start = text[: MAX_LABEL_LENGTH + 1].encode("utf-8", "backslashreplace").decode("utf-8")
    return start if len(start) <= MAX_LABEL_LENGTH else f"{start[: MAX_LABEL_LENGTH - 1]}\u2026"


def _named(by_field: Mapping[str, Any]) -> dict[str, Any]:
    """Return entries of the manifest by the field names in metrics."""
    return {_label_text(field): entry for field, entry in by_field.items()}
