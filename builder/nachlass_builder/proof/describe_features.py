"""Describes the features of samples that are rows, for metrics."""

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
"""Entries of a row that are looked at: a picture has millions."""
BINS = 10
MAX_LABELS = 20
DIGITS = 6
"""Of bounds, which people read."""
LEAST_SAMPLES = 50
"""Fewer have no distribution to compare with: their deciles would be somebody's numbers."""
LEAST_OF_A_LABEL = 5
"""A value that fewer samples share has no bin of its own: it says little, and is somebody's."""
LONGEST_NAME = 128
OTHER = "other"
"""The bin of whatever has none."""


def describe_features(samples: Sequence[Any]) -> Features:
    """The first features of the samples, each with its labels, or its buckets.

    A row is a list or an object; a plain value is a row of one feature, named
    "". Numbers have buckets (upper bounds, deciles of the samples) unless they
    have few values. What has too many values, such as free text, is no feature,
    and neither is what a metric cannot name. Too few samples have none at all.
    """
    columns = _columns(samples) if len(samples) >= LEAST_SAMPLES else {}
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
            shared = (text for text, count in texts.items() if count >= LEAST_OF_A_LABEL)
            named = sorted(text for text in shared if _is_nameable(text) and text != OTHER)
            labels.update({name: tuple(named)} if named else {})
    return Features(labels=labels, buckets=buckets)


def _columns(samples: Sequence[Any]) -> Mapping[str, list[Any]]:
    """The plain values of each feature; a feature that ever holds a list or object is left out."""
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
    """A value as a metric writes it: text as it is, 1.0 as 1, the rest as JSON."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value)


def _is_nameable(text: str) -> bool:
    """Whether a text can be a label of a metric, and be read there."""
    return len(text) <= LONGEST_NAME and (text.isprintable() or not text)


def _is_number(value: Any) -> bool:
    """Whether a value is a number that quantiles can be taken of."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and abs(value) < HUGE


def _deciles(numbers: Sequence[float]) -> list[float]:
    """Upper bounds of buckets; a value that fills a bucket alone has one of its own."""
    quantiles = statistics.quantiles(numbers, n=BINS, method="inclusive")
    cuts = {float(f"{cut:.{DIGITS}g}") for cut in quantiles}
    repeated = {value for value, count in Counter(numbers).items() if count * BINS > len(numbers)}
    return sorted(cuts | repeated | {math.nextafter(value, -math.inf) for value in repeated})
