"""Converts the counts of all workers to Prometheus metric families."""

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
"""The cells of each series, summed over all workers."""


class Families:
    """Builds the families; `prefix` begins their names, and `info` identifies the model.

    `baseline` has the counts of the build, with the labels of the live metrics.
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
        """Yield every family."""
        yield from self._of_samples(rows)
        yield from self._of_the_build()
        yield from self._of_requests(rows)
        yield from requests.families(self._prefix, rows)
        info = GaugeMetricFamily(
            f"{self._prefix}_model_info", "The served model; always 1.", labels=list(self._info)
        )
        info.add_metric(list(self._info.values()), 1)
        yield info

    def _of_samples(self, rows: Rows) -> Iterator[Metric]:
        """Yield the families of predictions and inputs."""
        p = self._prefix
        labels, bins = self._predictions.by_value(rows)
        yield by_value(CounterMetricFamily, f"{p}_predictions", "Predictions by value.", labels)
        values = HistogramMetricFamily(
            f"{p}_prediction_value", "Predicted numbers.", labels=["field"]
        )
        for field in bins:
            add_histogram(values, [field], self._predictions.bounds(field), rows["number", field])
        yield values
        yield by_value(
            CounterMetricFamily,
            f"{p}_prediction_bins",
            "Predicted numbers by interval.",
            bins,
        )
        yield by_value(
            CounterMetricFamily,
            f"{p}_inputs",
            "Input feature values, counted for a share of the samples.",
            self._inputs.counts(rows[INPUTS]),
        )

    def _of_the_build(self) -> Iterator[Metric]:
        """Yield the families of the baseline."""
        for name, description in (
            ("predictions", "Predictions"),
            ("inputs", "Input feature values"),
        ):
            yield by_value(
                GaugeMetricFamily,
                f"{self._prefix}_{name}_baseline",
                f"{description} of the build by value or interval; constant.",
                self._baseline[name],
            )
        family = GaugeMetricFamily(
            f"{self._prefix}_prediction_value_baseline",
            "Cumulative number of the build's predictions up to each bound; constant.",
            labels=["field", "le"],
        )
        for field, counts in self._baseline["predictions"].items():
            if names := self._predictions.ordered(field):
                numbers = [counts.get(name, 0) for name in names]
                for le, count in up_to(self._predictions.bounds(field), numbers):
                    family.add_metric([field, le], count)
        yield family

    def _of_requests(self, rows: Rows) -> Iterator[Metric]:
        """Yield the families of durations, rejections, samples and failures."""
        p = self._prefix
        for name, description, series, bounds in (
            ("processing_seconds", "prediction requests", SECONDS, SECONDS_BOUNDS),
            ("batch_seconds", "batches", BATCH_SECONDS, BATCH_SECONDS_BOUNDS),
        ):
            seconds = HistogramMetricFamily(f"{p}_{name}", f"Duration of {description} in seconds.")
            add_histogram(seconds, [], bounds, rows[series])
            yield seconds
        rejected = CounterMetricFamily(f"{p}_rejected", "Rejected requests.", labels=["reason"])
        for found, row in rows.items():
            if found[0] == "rejected":
                rejected.add_metric([found[1]], row[0])
        yield rejected
        yield CounterMetricFamily(
            f"{p}_samples", "Samples that got a prediction.", value=rows[ANSWERED][0]
        )
        yield CounterMetricFamily(
            f"{p}_failures", "Requests on which the model failed.", value=rows[FAILED][0]
        )
