"""Counts what a service answers, and shows it to Prometheus.

Each number is written at once to the worker's slot of shared memory (shared_counters.py),
so that the sums are exact whatever becomes of a worker; prometheus_client only
renders them (families.py, exposition.py).
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
"""The bins that the features of samples are in: what is counted of the input."""
LASTING = frozenset(
    {"seconds", "batch_seconds", "answered", "failed", "rejected", "requests", "lost", "ended"}
)
"""Series that mean the same for every model."""
NO_FEATURES, NO_BASELINE = Features({}, {}), Baseline({}, {})


class Metrics(Collector):
    """The metrics of one service, laid out from the manifest before the fork.

    `prediction` is the manifest's section of that name (predictions.py). `features`
    are those of the input, counted for a share `input_rate` of the samples, their
    labels shown by name or by number (`named_inputs`); `baseline` is what the build
    counted (baseline.py), shown beside what is counted now.
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
        self._draw = Random().random  # noqa: S311 - and not the user's, who may have seeded it
        self._window_s = window_s
        self._lock = threading.Lock()
        self.counters = SharedCounters(self._known())
        self.history = History(self.counters, window_s)

    def go_on_from(self, previous: Metrics) -> None:
        """Take over the previous counts that mean the same things."""
        if previous._layout == self._layout:
            self.counters = previous.counters
            self.history = History(self.counters, self._window_s)  # of this model's predictions
            return
        for series in self.counters.series():
            if series[0] in LASTING and series in previous.counters:
                self.counters.add(series, dict(enumerate(previous.counters.sums(series))))
        if previous.counters.is_ready:  # the previous workers answer until the new ones do
            self.counters.stay_ready()

    def bin_features(self, samples: Sequence[Any]) -> FeatureBins:
        """What `count` is to count of the input of a request: nothing, for most samples.

        It is called before the predictor is, which may change its sample.
        """
        draw, rate = self._draw, self._input_rate
        return [self.inputs.bin_features(sample) for sample in samples if draw() < rate]

    def bin_each(self, samples: Sequence[Any]) -> list[FeatureBins]:
        """As `bin_features`, for each sample on its own."""
        draw, rate, bin_features = self._draw, self._input_rate, self.inputs.bin_features
        return [[bin_features(sample)] if draw() < rate else () for sample in samples]

    def count(self, predictions: Sequence[Any], seconds: float, inputs: FeatureBins = ()) -> None:
        """Count an answered request: its predictions, in their JSON form, duration and input."""
        self.count_inputs(inputs)
        with self._lock:
            self._count_all(predictions)
            observe(self.counters, SECONDS, SECONDS_BOUNDS, seconds)

    def count_predictions(self, predictions: Sequence[Any]) -> None:
        """Count predictions of a batch that is not answered yet."""
        with self._lock:
            self._count_all(predictions)

    def count_inputs(self, inputs: FeatureBins) -> None:
        """Count what `bin_features` has returned."""
        if inputs:
            with self._lock:
                for cells in inputs:
                    self.counters.add(INPUTS, dict.fromkeys(cells, 1))

    def count_batch(self, seconds: float) -> None:
        """Count an answered batch, whose predictions are counted, by its duration."""
        with self._lock:
            observe(self.counters, BATCH_SECONDS, BATCH_SECONDS_BOUNDS, seconds)

    def count_rejected(self, code: str) -> None:
        """Count a request that was turned away, by the code of its error."""
        with self._lock:
            self.counters.count(("rejected", code))

    def count_failed(self) -> None:
        """Count a request that the model could not answer."""
        with self._lock:
            self.counters.count(FAILED)

    def begin(self) -> None:
        """Count a request that is going to be answered."""
        with self._lock:
            self.counters.count(requests.IN_PROGRESS)

    def end(self, route: str, status: int | None) -> None:
        """Count a request that has been answered; no status: that nobody waited for."""
        with self._lock:
            self.counters.count(requests.IN_PROGRESS, amount=-1)
            if status is not None:
                requests.count_answer(self.counters, route, status)

    def leave(self, reason: str) -> None:
        """Count a worker that ends unasked, for one of the reasons of requests.ENDED."""
        with self._lock:
            self.counters.count(requests.ENDED[reason])

    def note_end(self, slot: int) -> int | None:
        """Count a worker that has ended: the requests lost with one that crashed, or None."""
        return requests.note_end(self.counters, slot)

    def say_goodbye(self) -> None:
        """Say that this worker ends by itself."""
        self.counters.count(requests.GOODBYE)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """All metrics as text, and its content type, as an Accept header asks."""
        return as_text(self, accept)

    def describe(self) -> list[Metric]:
        """Nothing: the registry need not know the names beforehand."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every metric, added up over all workers."""
        with self._lock:
            rows = {series: self.counters.sums(series) for series in self.counters.series()}
        yield from self._families.of(rows)

    def recent(self) -> tuple[Counts, Counts, float]:
        """Predictions and inputs that were counted within the window, and its seconds.

        As History.since: the window is longer when nothing was counted for a
        while, and shorter soon after the start.
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
        """The bins of a field's numbers, from the smallest up; none when it has labels only."""
        return self._predictions.ordered(field)

    def _known(self) -> Iterator[tuple[Series, int]]:
        """The series that exist from the start."""
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
