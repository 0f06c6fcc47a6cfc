"""Counts the samples like a service, as its baseline."""

from __future__ import annotations

from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.manifest import Baseline, Counts
from nachlass_service.metrics.metrics import Metrics


def count_samples(bundle: Bundle) -> Baseline:
    """Return the manifest's `baseline` for the recorded samples and predictions."""
    manifest = bundle.manifest
    metrics = Metrics(manifest.prediction, prefix="n", info={}, features=manifest.input.features)
    metrics.counters.prepare(0)
    for sample, prediction in bundle.samples():
        metrics.count([prediction], 0.0, metrics.bin_features([sample]))
    predictions, inputs, _seconds = metrics.recent()
    return Baseline(_whole(predictions), _whole(inputs))


def _whole(counts: Counts) -> Counts:
    """Return the counts of fields with any values, as integers."""
    return {
        field: {value: int(count) for value, count in values.items()}
        for field, values in counts.items()
        if any(values.values())
    }
