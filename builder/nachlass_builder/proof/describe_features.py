"""Describes the features of tabular samples, for metrics."""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from nachlass_builder.bundle.manifest import Features
from nachlass_builder.proof.describe_predictions import HUGE

MAX_FEATURES = 20
MAX_WIDTH = 1000
"""The number of entries of a row to examine: an image has millions."""
BINS = 10
MAX_LABELS = 20
DIGITS = 6
"""Significant digits of bucket bounds, which people read."""
MIN_SAMPLES = 50
"""Fewer samples do not show a distribution, and their deciles would reveal personal values."""
MIN_PER_LABEL = 5
"""A value shared by fewer samples gets no separate bin: it means little and may be personal."""
MAX_NAME_LENGTH = 128
OTHER = "other"
"""The bin of all other values."""


def describe_features(samples: Sequence[Any]) -> Features:
    """Describe the first features of the samples, each with its labels or buckets.

    A row is a list or an object; a plain value is a row of one feature, named
    "". Numbers get buckets (upper bounds: deciles of the samples) unless they
    have few distinct values. Columns with too many values, such as free text, or
    with names that metrics cannot use are left out. Too few samples give no
    features.
    """
    columns = _columns(samples) if len(samples) >= MIN_SAMPLES else {}
    labels: dict[str, tuple[str, ...]] = {}
    buckets: dict[str, tuple[float, ...]] = {}
    for name, column in columns.items():
        if len(labels) + len(buckets) == MAX_FEATURES:
            break
        if not _is_nameable(name):
            continue
        numbers = [value for value in column if _is_number(value)]
        texts = Counter(map(_text, column))
        if len(texts) > MAX_LABELS and 2 * len(numbers) > len(column):
            buckets[name] = tuple(_deciles([float(number) for number in numbers]))
        elif len(texts) <= MAX_LABELS:
            shared = (text for text, count in texts.items() if count >= MIN_PER_LABEL)
            named = sorted(text for text in shared if _is_nameable(text) and text != OTHER)
            labels.update({name: tuple(named)} if named else {})
    return Features(labels=labels, buckets=buckets)


def _columns(samples: Sequence[Any]) -> Mapping[str, list[Any]]:
    """Return the plain values of each feature, without features that hold lists or objects."""
    columns: dict[str, list[Any]] = {}
    nested = set()
    for sample in samples:
        match sample:
            case dict():
                row = sample
            case list():
                row = dict(zip(map(str, range(len(sample))), sample, strict=True))
            case _:
                row = {"": sample}
        for name, value in islice(row.items(), MAX_WIDTH):
            columns.setdefault(name, []).append(value)
            if isinstance(value, list | dict):
                nested.add(name)
    return {name: column for name, column in columns.items() if name not in nested}


def _text(value: Any) -> str:
    """Format a value as a metric label: text unchanged, 1.0 as 1, the rest as JSON."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value)


def _is_nameable(text: str) -> bool:
    """Return whether a text is usable and readable as a metric label."""
    return len(text) <= MAX_NAME_LENGTH and (text.isprintable() or not text)


def _is_number(value: Any) -> bool:
    """Return whether a value is a number with which quantiles can be computed."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and abs(value) < HUGE


def _deciles(numbers: Sequence[float]) -> list[float]:
    """Return upper bounds of buckets; a very frequent value gets a separate bucket."""
    quantiles = statistics.quantiles(numbers, n=BINS, method="inclusive")
    cuts = {float(f"{cut:.{DIGITS}g}") for cut in quantiles}
    repeated = {value for value, count in Counter(numbers).items() if count * BINS > len(numbers)}
    return sorted(cuts | repeated | {math.nextafter(value, -math.inf) for value in repeated})
