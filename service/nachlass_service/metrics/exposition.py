"""Renders counts and buckets for Prometheus."""

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
    """Return a collector's metrics as text and the content type, chosen by an Accept header."""
    try:
        encode, content_type = choose_encoder(accept)
    except TypeError:  # the requested version is not a number
        encode, content_type = choose_encoder("")
    registry = CollectorRegistry()
    registry.register(collector)
    return encode(registry), content_type


def by_value(
    kind: type[CounterMetricFamily | GaugeMetricFamily], name: str, description: str, counts: Counts
) -> Metric:
    """Return a family with the count of each value of each field."""
    family = kind(name, description, labels=["field", "value"])
    for field, values in counts.items():
        for value, count in values.items():
            family.add_metric([field, value], count)
    return family


def up_to(bounds: Sequence[float], counts: Sequence[float]) -> Iterator[tuple[str, float]]:
    """Return the cumulative buckets of a histogram: each upper bound with its count."""
    return zip([*map(floatToGoString, bounds), "+Inf"], accumulate(counts), strict=True)


def add_histogram(
    family: HistogramMetricFamily,
    labels: Sequence[str],
    bounds: Sequence[float],
    row: Sequence[float],
) -> None:
    """Add a row of buckets and a sum to a histogram."""
    *counts, total = row
    family.add_metric(labels, buckets=list(up_to(bounds, counts)), sum_value=total)
