"""Counts requests and predictions, and exposes them to Prometheus.

Each count is written at once to the worker's slot of shared memory (shared_counters.py),
so the sums are exact even if a worker is killed; prometheus_client only renders them
(families.py, exposition.py).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from operator import sub
from random import Random
from typing import Any

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from nachlass_service.base.errors import REJECTED
from nachlass_service.bundle.manifest import Baseline, Counts, Features, Prediction
from nachlass_service.metrics import requests
from nachlass_service.metrics.exposition import as_text
from nachlass_service.metrics.families import Families
from nachlass_service.metrics.history import History
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
    observe,
    width_of,
)
from nachlass_service.metrics.shared_counters import Series, SharedCounters

FeatureBins = Sequence[Sequence[int]]
"""For each sample, the cells of its features' bins, which are counted."""
RELOADED_SERIES = frozenset(
    {"seconds", "batch_seconds", "answered", "failed", "rejected", "requests", "lost", "ended"}
)
"""The series with the same meaning for every model."""
NO_FEATURES, NO_BASELINE = Features({}, {}), Baseline({}, {})


class Metrics(Collector):
    """The metrics of one service, laid out from the manifest before the fork.

    `prediction` is the manifest's section of that name (predictions.py). `features` are
    the input features, counted for a share `input_rate` of the samples; their labels are
    shown by name, or by number without `named_inputs`. `baseline` has the counts of the
    build (baseline.py), which are exposed too.
    """

    def __init__(
        self,
        prediction: Prediction,
        *,
        prefix: str,
        info: Mapping[str, str],
        features: Features = NO_FEATURES,
        baseline: Baseline = NO_BASELINE,
        input_rate: float = 1.0,
        named_inputs: bool = True,
        window_s: float = 3600,
    ) -> None:
        self._predictions = Predictions(prediction)
        self._layout = (self._predictions.layout, features)
        self.inputs = Inputs(features, named=named_inputs)
        self.baseline: dict[str, Counts] = {
            "predictions": baseline.predictions,
            "inputs": self.inputs.shown(baseline.inputs),
        }
        self._families = Families(prefix, dict(info), self._predictions, self.inputs, self.baseline)
        self._input_rate = input_rate if self.inputs.bins else 0.0
        self._draw = Random().random  # noqa: S311 - its own generator: the user may seed the global
        self._window_s = window_s
        self._lock = threading.Lock()
        self.counters = SharedCounters(self._known())
        self.history = History(self.counters, window_s)

    def continue_from(self, previous: Metrics) -> None:
        """Take over the previous counts that have the same meaning."""
        if previous._layout == self._layout:
            self.counters = previous.counters
            self.history = History(self.counters, self._window_s)  # only for this model
            return
        for series in self.counters.series():
            if series[0] in RELOADED_SERIES and series in previous.counters:
                self.counters.add(series, dict(enumerate(previous.counters.sums(series))))
        if previous.counters.is_ready:  # the previous workers answer until the new ones are ready
            self.counters.stay_ready()

    def bin_features(self, samples: Sequence[Any]) -> FeatureBins:
        """Return what `count` counts of a request's input, for the sampled share of samples.

        Call it before the predictor, which may change its sample.
        """
        draw, rate = self._draw, self._input_rate
        return [self.inputs.bin_features(sample) for sample in samples if draw() < rate]

    def bin_each(self, samples: Sequence[Any]) -> list[FeatureBins]:
        """Return the result of `bin_features` for each sample."""
        draw, rate, bin_features = self._draw, self._input_rate, self.inputs.bin_features
        return [[bin_features(sample)] if draw() < rate else () for sample in samples]

    def count(self, predictions: Sequence[Any], seconds: float, inputs: FeatureBins = ()) -> None:
        """Count an answered request: its predictions in JSON form, its duration and its input."""
        self.count_inputs(inputs)
        with self._lock:
            self._count_all(predictions)
            observe(self.counters, SECONDS, SECONDS_BOUNDS, seconds)

    def count_predictions(self, predictions: Sequence[Any]) -> None:
        """Count predictions of a batch that is not answered yet."""
        with self._lock:
            self._count_all(predictions)

    def count_inputs(self, inputs: FeatureBins) -> None:
        """Count a result of `bin_features`."""
        if inputs:
            with self._lock:
                for cells in inputs:
                    self.counters.add(INPUTS, dict.fromkeys(cells, 1))

    def count_batch(self, seconds: float) -> None:
        """Count the duration of an answered batch, whose predictions are already counted."""
        with self._lock:
            observe(self.counters, BATCH_SECONDS, BATCH_SECONDS_BOUNDS, seconds)

    def count_rejected(self, code: str) -> None:
        """Count a rejected request by its error code."""
        with self._lock:
            self.counters.count(("rejected", code))

    def count_failed(self) -> None:
        """Count a request on which the model failed."""
        with self._lock:
            self.counters.count(FAILED)

    def begin(self) -> None:
        """Count a request in progress."""
        with self._lock:
            self.counters.count(requests.IN_PROGRESS)

    def end(self, route: str, status: int | None) -> None:
        """Count the end of a request; the status is None if the client has disconnected."""
        with self._lock:
            self.counters.count(requests.IN_PROGRESS, amount=-1)
            if status is not None:
                requests.count_answer(self.counters, route, status)

    def count_ended(self, reason: str) -> None:
        """Count a worker that ends for one of the reasons in requests.ENDED."""
        with self._lock:
            self.counters.count(requests.ENDED[reason])

    def note_end(self, slot: int) -> int | None:
        """Count an ended worker; return the requests lost in a crash, else None."""
        return requests.note_end(self.counters, slot)

    def note_clean_exit(self) -> None:
        """Record that this worker exits regularly."""
        self.counters.count(requests.CLEAN_EXIT)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics as text and its content type, chosen by an Accept header."""
        return as_text(self, accept)

    def describe(self) -> list[Metric]:
        """Return nothing: the registry does not need the names in advance."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, summed over all workers."""
        with self._lock:
            rows = {series: self.counters.sums(series) for series in self.counters.series()}
        yield from self._families.of(rows)

    def recent(self) -> tuple[Counts, Counts, float]:
        """Return the counts of predictions and inputs in the window, and its seconds.

        The window is longer if nothing was counted for a while, and shorter soon after
        startup (see History.since).
        """
        with self._lock:
            self.history.keep()
            before, seconds = self.history.since(self._window_s)
            rows = {
                series: list(map(sub, self.counters.sums(series), before(series)))
                for series in self.counters.series()
            }
        labels, bins = self._predictions.by_value(rows)
        predictions = {
            field: {**bins.get(field, {}), **labels.get(field, {})} for field in {**bins, **labels}
        }
        return predictions, self.inputs.counts(rows[INPUTS]), seconds

    def ordered(self, field: str) -> list[str]:
        """Return the bins of a field's numbers in ascending order; empty if it has only labels."""
        return self._predictions.ordered(field)

    def _known(self) -> Iterator[tuple[Series, int]]:
        """Yield the series that exist from the start, with their widths."""
        yield SECONDS, width_of(SECONDS_BOUNDS)
        yield BATCH_SECONDS, width_of(BATCH_SECONDS_BOUNDS)
        yield ANSWERED, 1
        yield FAILED, 1
        for error in REJECTED:
            yield ("rejected", error.code), 1
        yield from self._predictions.known()
        yield INPUTS, self.inputs.width
        yield from requests.known()

    def _count_all(self, predictions: Sequence[Any]) -> None:
        self.history.keep()
        self.counters.count(ANSWERED, amount=len(predictions))
        self._predictions.count(predictions, self.counters)
