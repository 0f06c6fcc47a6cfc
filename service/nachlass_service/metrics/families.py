"""The metrics of a service as families of Prometheus, from what its workers have counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from nachlass_service.bundle.manifest import Counts
from nachlass_service.metrics import requests
from nachlass_service.metrics.exposition import add_histogram, by_value, up_to
from nachlass_service.metrics.inputs import Inputs
from nachlass_service.metrics.predictions import Predictions
from nachlass_service.metrics.series import (
    ANSWERED,
    BATCH_SECONDS,
    BATCH_SECONDS_BOUNDS,
    FAILED,
    INPUTS,
    SECONDS,
    SECONDS_BOUNDS,
)
from nachlass_service.metrics.shared_counters import Series

Rows = Mapping[Series, Sequence[float]]
"""The cells of each series, added up over all workers."""


class Families:
    """Makes the families; their names begin with `prefix`, and `info` names the model.

    `baseline` is what the build counted, shown with the labels of what is counted now.
    """

    def __init__(
        self,
        prefix: str,
        info: Mapping[str, str],
        predictions: Predictions,
        inputs: Inputs,
        baseline: Mapping[str, Counts],
    ) -> None:
        self._prefix, self._info = prefix, info
        self._predictions, self._inputs, self._baseline = predictions, inputs, baseline

    def of(self, rows: Rows) -> Iterator[Metric]:
        """Every family."""
        yield from self._of_samples(rows)
        yield from self._of_the_build()
        yield from self._of_requests(rows)
        yield from requests.families(self._prefix, rows)
        info = GaugeMetricFamily(
            f"{self._prefix}_model_info", "What is served; always 1.", labels=list(self._info)
        )
        info.add_metric(list(self._info.values()), 1)
        yield info

    def _of_samples(self, rows: Rows) -> Iterator[Metric]:
        """Predictions and inputs by their values."""
        p = self._prefix
        labels, bins = self._predictions.by_value(rows)
        yield by_value(
            CounterMetricFamily, f"{p}_predictions", "Predictions by their value.", labels
        )
        values = HistogramMetricFamily(
            f"{p}_prediction_value", "The numbers that were predicted.", labels=["field"]
        )
        for field in bins:
            add_histogram(values, [field], self._predictions.bounds(field), rows["number", field])
        yield values
        yield by_value(
            CounterMetricFamily,
            f"{p}_prediction_bins",
            "Predicted numbers by the interval that they are in.",
            bins,
        )
        yield by_value(
            CounterMetricFamily,
            f"{p}_inputs",
            "Values of the input's features, of the requests that are looked at.",
            self._inputs.counts(rows[INPUTS]),
        )

    def _of_the_build(self) -> Iterator[Metric]:
        """The baseline, which stays the same."""
        for name, what in (("predictions", "predictions"), ("inputs", "values of the input")):
            yield by_value(
                GaugeMetricFamily,
                f"{self._prefix}_{name}_baseline",
                f"The build's {what}, by value or interval; constant.",
                self._baseline[name],
            )
        family = GaugeMetricFamily(
            f"{self._prefix}_prediction_value_baseline",
            "The build's predicted numbers up to each bound; constant.",
            labels=["field", "le"],
        )
        for field, counts in self._baseline["predictions"].items():
            if names := self._predictions.ordered(field):
                numbers = [counts.get(name, 0) for name in names]
                for le, count in up_to(self._predictions.bounds(field), numbers):
                    family.add_metric([field, le], count)
        yield family

    def _of_requests(self, rows: Rows) -> Iterator[Metric]:
        """How many were answered, and how fast; how many were not, and why."""
        p = self._prefix
        for name, what, series, bounds in (
            ("processing_seconds", "a request", SECONDS, SECONDS_BOUNDS),
            ("batch_seconds", "a batch", BATCH_SECONDS, BATCH_SECONDS_BOUNDS),
        ):
            seconds = HistogramMetricFamily(f"{p}_{name}", f"Seconds that answering {what} took.")
            add_histogram(seconds, [], bounds, rows[series])
            yield seconds
        rejected = CounterMetricFamily(
            f"{p}_rejected", "Requests that were turned away.", labels=["reason"]
        )
        for found, row in rows.items():
            if found[0] == "rejected":
                rejected.add_metric([found[1]], row[0])
        yield rejected
        yield CounterMetricFamily(
            f"{p}_samples", "Samples that were answered.", value=rows[ANSWERED][0]
        )
        yield CounterMetricFamily(
            f"{p}_failures", "Requests that the model could not answer.", value=rows[FAILED][0]
        )
