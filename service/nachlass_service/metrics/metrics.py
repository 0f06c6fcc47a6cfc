"""Counts what a service answers, and shows it to Prometheus.

Each number is written at once to the worker's slot of shared memory (shared_counters.py),
so that the sums are exact whatever becomes of a worker; prometheus_client only
renders them (exposition.py).
"""

from __future__ import annotations

import json
import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from operator import sub
from random import Random
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from nachlass_service.base.errors import REJECTED
from nachlass_service.bundle.manifest import Baseline, Counts, Features, Prediction
from nachlass_service.metrics.exposition import add_histogram, as_text, by_value, up_to
from nachlass_service.metrics.history import History
from nachlass_service.metrics.inputs import Inputs, finite, intervals
from nachlass_service.metrics.shared_counters import Series, SharedCounters

MAX_FIELDS = 50
MAX_LABELS = 100
LONGEST_LABEL = 128
MAX_VALUES = 1000
"""Values of one prediction that are counted: a picture has millions."""
OTHER = "other"
"""The field, and the label, of whatever there are too many of."""

INPUTS = ("inputs",)
SECONDS = ("seconds",)
ANSWERED = ("answered",)
FAILED = ("failed",)
SECONDS_BOUNDS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)


FeatureBins = Sequence[Sequence[int]]
"""The bins that the features of samples are in: what is counted of the input."""
NO_FEATURES, NO_BASELINE = Features(), Baseline()


class Metrics(Collector):
    """The metrics of one service, laid out from the manifest before the fork.

    `prediction` is the manifest's section of that name. A field with labels
    only counts every value as a label; one with buckets only counts numbers in
    them; one with both, or one that the build did not see, counts floats as
    numbers and the rest as labels. `features` are those of the input, counted
    for a share `input_rate` of the samples, their labels shown by name or by
    number (`named_inputs`); `baseline` is what the build counted
    (baseline.py), shown beside what is counted now.
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
        self._prefix = prefix
        self._info = dict(info)
        self._labels: dict[str, Sequence[str]] = _named(prediction.labels)
        self._buckets: dict[str, Sequence[float]] = _named(prediction.buckets)
        self._ladder: Sequence[float] = prediction.ladder
        self._layout = (self._labels, self._buckets, self._ladder, features)
        self.inputs = Inputs(features, named=named_inputs)
        self.baseline: dict[str, Counts] = {
            "predictions": baseline.predictions,
            "inputs": self.inputs.shown(baseline.inputs),
        }
        self._input_rate = input_rate if self.inputs.bins else 0.0
        self._draw = Random().random  # noqa: S311 - and not the user's, who may have seeded it
        self._window_s = window_s
        self._full: set[str] = set()  # fields that have all the labels they may
        self._all_fields: set[str] = set()  # once there are as many as there may be
        self._lock = threading.Lock()
        self.counters = SharedCounters(self._known())
        self.history = History(self.counters, window_s)

    def go_on_from(self, previous: Metrics) -> None:
        """Take over the previous counts, when they mean the same things."""
        if previous._layout == self._layout:
            self.counters = previous.counters
            self.history = History(self.counters, self._window_s)  # of this model's predictions
        elif previous.counters.is_ready:  # the previous workers answer until the new ones do
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
            self._observe(SECONDS, SECONDS_BOUNDS, seconds)

    def count_predictions(self, predictions: Sequence[Any]) -> None:
        """Count predictions of a request that is not answered yet."""
        with self._lock:
            self._count_all(predictions)

    def count_inputs(self, inputs: FeatureBins) -> None:
        """Count what `bin_features` has returned."""
        if inputs:
            with self._lock:
                for cells in inputs:
                    self.counters.add(INPUTS, dict.fromkeys(cells, 1))

    def count_answered(self, seconds: float) -> None:
        """Count an answered request, whose predictions are counted, by its duration."""
        with self._lock:
            self._observe(SECONDS, SECONDS_BOUNDS, seconds)

    def count_rejected(self, code: str) -> None:
        """Count a request that was turned away, by the code of its error."""
        with self._lock:
            self.counters.add(("rejected", code), {0: 1})

    def count_failed(self) -> None:
        """Count a request that the model could not answer."""
        with self._lock:
            self.counters.add(FAILED, {0: 1})

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """All metrics as text, and its content type, as an Accept header asks."""
        return as_text(self, accept)

    def describe(self) -> list[Metric]:
        """Nothing: the registry need not know the names beforehand."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every metric, added up over all workers; the baseline has equal labels."""
        p = self._prefix
        with self._lock:
            rows = {series: self.counters.sums(series) for series in self.counters.series()}
        labels, bins = self._by_value(rows)
        inputs = self.inputs.counts(rows[INPUTS])
        yield by_value(
            CounterMetricFamily, f"{p}_predictions", "Predictions by their value.", labels
        )
        values = HistogramMetricFamily(
            f"{p}_prediction_value", "The numbers that were predicted.", labels=["field"]
        )
        for field in bins:
            add_histogram(values, [field], self._bounds(field), rows["number", field])
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
            inputs,
        )
        for name, what in (("predictions", "predictions"), ("inputs", "values of the input")):
            yield by_value(
                GaugeMetricFamily,
                f"{p}_{name}_baseline",
                f"The build's {what}, by value or interval; constant.",
                self.baseline[name],
            )
        yield self._cumulative_baseline()
        seconds = HistogramMetricFamily(
            f"{p}_processing_seconds", "Seconds that answering a request took."
        )
        add_histogram(seconds, [], SECONDS_BOUNDS, rows[SECONDS])
        yield seconds
        rejected = CounterMetricFamily(
            f"{p}_rejected", "Requests that were turned away.", labels=["reason"]
        )
        for series, row in rows.items():
            if series[0] == "rejected":
                rejected.add_metric([series[1]], row[0])
        yield rejected
        yield CounterMetricFamily(
            f"{p}_samples", "Samples that were answered.", value=rows[ANSWERED][0]
        )
        yield CounterMetricFamily(
            f"{p}_failures", "Requests that the model could not answer.", value=rows[FAILED][0]
        )
        info = GaugeMetricFamily(
            f"{p}_model_info", "What is served; always 1.", labels=list(self._info)
        )
        info.add_metric(list(self._info.values()), 1)
        yield info

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
        labels, bins = self._by_value(rows)
        predictions = {
            field: {**bins.get(field, {}), **labels.get(field, {})} for field in {**bins, **labels}
        }
        return predictions, self.inputs.counts(rows[INPUTS]), seconds

    def ordered(self, field: str) -> list[str]:
        """The bins of a field's numbers, from the smallest up; none when it has labels only."""
        return intervals(self._buckets[field]) if field in self._buckets else []

    def _by_value(self, rows: Mapping[Series, Sequence[float]]) -> tuple[Counts, Counts]:
        """The rows of predictions as counts: of labels, and of numbers by their interval."""
        labels: Counts = {}
        bins: Counts = {}
        for (kind, *name), row in rows.items():
            if kind == "label":
                labels.setdefault(name[0], {})[name[1]] = row[0]
            elif kind == "number":
                names = intervals(self._bounds(name[0]))
                bins[name[0]] = dict(zip(names, row[:-1], strict=True))
        return labels, bins

    def _cumulative_baseline(self) -> Metric:
        """The baseline of numbers, with the buckets of their histogram."""
        family = GaugeMetricFamily(
            f"{self._prefix}_prediction_value_baseline",
            "The build's predicted numbers up to each bound; constant.",
            labels=["field", "le"],
        )
        for field, counts in self.baseline["predictions"].items():
            if field in self._buckets:
                numbers = [counts.get(value, 0) for value in self.ordered(field)]
                for le, count in up_to(self._buckets[field], numbers):
                    family.add_metric([field, le], count)
        return family

    def _known(self) -> Iterator[tuple[Series, int]]:
        """The series that exist from the start."""
        yield SECONDS, len(SECONDS_BOUNDS) + 2
        yield ANSWERED, 1
        yield FAILED, 1
        for error in REJECTED:
            yield ("rejected", error.code), 1
        for field, labels in self._labels.items():
            for label in dict.fromkeys(map(label_of, labels[:MAX_LABELS])):
                yield ("label", field, label), 1
        for field, bounds in self._buckets.items():
            yield ("number", field), len(bounds) + 2
        yield INPUTS, self.inputs.width

    def _count_all(self, predictions: Sequence[Any]) -> None:
        """Count predictions, equal plain ones at once."""
        self.history.keep()
        self.counters.add(ANSWERED, {0: len(predictions)})
        plain: dict[tuple[type, Any], int] = {}
        for prediction in predictions:
            if isinstance(prediction, dict | list):
                for field, value in islice(plain_values(prediction), MAX_VALUES):
                    self._count_value(field, value)
            else:
                key = (type(prediction), prediction)  # 1, 1.0 and True are equal
                plain[key] = plain.get(key, 0) + 1
        for (_kind, prediction), times in plain.items():
            self._count_value("", prediction, times)

    def _count_value(self, path: str, value: Any, times: int = 1) -> None:
        """Count a plain value, as a number or as a label."""
        field = _bearable(path)
        number = finite(value)
        labels_only = field in self._labels and field not in self._buckets
        numbers_only = field in self._buckets and field not in self._labels
        if number is not None and not labels_only and (numbers_only or isinstance(value, float)):
            series = self._place(("number", field), ("number", OTHER))
            self._observe(series, self._bounds(series[1]), number, times)
        else:
            label = label_of(value)
            series = self._place(
                ("label", field, label), ("label", field, OTHER), ("label", OTHER, OTHER)
            )
            self.counters.add(series, {0: times})

    def _place(self, *candidates: Series) -> Series:
        """The first of the series that is there, or that may be entered."""
        for series in candidates:
            if series in self.counters:
                return series
            if self._is_refused(series):
                continue
            width = 1 if series[0] == "label" else len(self._bounds(series[1])) + 2
            if self.counters.enter(series, width, partial(self._may_enter, series)):
                return series
        return candidates[-1]

    def _may_enter(self, new: Series, there: Sequence[Series]) -> bool:
        """Whether one more field, or one more label of a field, is within the limits."""
        fields = {series[1] for series in there if series[0] in ("label", "number")}
        fields |= self._labels.keys() | self._buckets.keys() | {OTHER}
        if new[1] not in fields and len(fields) > MAX_FIELDS:
            self._all_fields = fields
        elif new[0] == "label" and sum(series[:2] == new[:2] for series in there) >= MAX_LABELS:
            self._full.add(new[1])
        return not self._is_refused(new)

    def _is_refused(self, new: Series) -> bool:
        """Whether it is known already that there is no room for a series."""
        kind, field, *label = new
        if self._all_fields and field not in self._all_fields:
            return True
        return kind == "label" and label != [OTHER] and field in self._full

    def _bounds(self, field: str) -> Sequence[float]:
        """The upper bounds of a field's buckets."""
        return self._buckets.get(field) or self._ladder

    def _observe(
        self, series: Series, bounds: Sequence[float], value: float, times: int = 1
    ) -> None:
        """Add a value to its bucket, and to the sum, which is the row's last cell."""
        self.counters.add(
            series, {bisect_left(bounds, value): times, len(bounds) + 1: times * value}
        )


def plain_values(prediction: Any) -> Iterator[tuple[str, Any]]:
    """The plain values inside a prediction, each with its field: `0`, `scores.a`, or ``."""
    # No recursion: what one thread could build may be too deep for another.
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
    """What a list or object holds, each with its path."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield f"{path}.{key}" if path else str(key), item


def label_of(value: Any) -> str:
    """A value as a label: text as it is, the rest as JSON, cut to a bearable length."""
    if type(value) is int:
        return _bearable(str(value))
    return _bearable(value if isinstance(value, str) else json.dumps(value))


def _bearable(text: str) -> str:
    """A text as metrics can carry it: not too long, and lone surrogates escaped."""
    if len(text) <= LONGEST_LABEL and text.isascii():
        return text
    start = text[: LONGEST_LABEL + 1].encode("utf-8", "backslashreplace").decode("utf-8")
    return start if len(start) <= LONGEST_LABEL else f"{start[: LONGEST_LABEL - 1]}\u2026"


def _named(by_field: Mapping[str, Any]) -> dict[str, Any]:
    """What the manifest says of fields, by their names in metrics."""
    return {_bearable(field): said for field, said in by_field.items()}
