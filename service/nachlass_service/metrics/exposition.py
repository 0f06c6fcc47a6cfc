"""Metrics as Prometheus reads them, from counts and from rows of buckets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from nachlass_service.bundle.manifest import Counts


def as_text(collector: Collector, accept: str) -> tuple[bytes, str]:
    """What a collector yields as text, and its content type, as an Accept header asks."""
    try:
        encode, content_type = choose_encoder(accept)
    except TypeError:  # it asks for a version that is no number
        encode, content_type = choose_encoder("")
    registry = CollectorRegistry()
    registry.register(collector)
    return encode(registry), content_type


def by_value(
    kind: type[CounterMetricFamily | GaugeMetricFamily], name: str, what: str, counts: Counts
) -> Metric:
    """How often each value of each field was counted."""
    family = kind(name, what, labels=["field", "value"])
    for field, values in counts.items():
        for value, count in values.items():
            family.add_metric([field, value], count)
    return family


def up_to(bounds: Sequence[float], counts: Sequence[float]) -> Iterator[tuple[str, float]]:
    """The buckets of a histogram: each upper bound, and how many are up to there."""
    return zip([*map(floatToGoString, bounds), "+Inf"], accumulate(counts), strict=True)


def add_histogram(
    family: HistogramMetricFamily,
    labels: Sequence[str],
    bounds: Sequence[float],
    row: Sequence[float],
) -> None:
    """Add a row, of buckets and a sum, to a histogram."""
    *counts, total = row
    family.add_metric(labels, buckets=list(up_to(bounds, counts)), sum_value=total)
