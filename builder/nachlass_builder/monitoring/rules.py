"""The rules by which Prometheus notices drift and other trouble.

They compare what a service counts with the baseline that it exports, and say
what the service says at /drift: where the statistics and their limits come from
stands in the service's drift.py. Counts are added up over replicas and workers;
series of one job, in one namespace, are one service. Nothing in the rules
depends on the labels or the buckets of a bundle, only z on how many fields are
looked at, so that they serve its successors, too. Alerts use what other rules
record, and so all are here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from nachlass_builder.proof.describe_features import LEAST_SAMPLES

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
JOB = "namespace, job"
"""What makes out a service; a label that is not there is an empty one."""
LONGEST_INTERVAL_S = 60
TESTS_OF_A_FEATURE = 2
"""As in the service, which says why."""


@dataclass(frozen=True)
class Thresholds:
    """When to alert; `window` is a duration as Prometheus writes it, `1h`."""

    window: str = "1h"
    false_alarms: float = 0.0005
    psi_floor: float = 0.02
    ks_floor: float = 0.05
    least: int = 200
    errors: float = 0.01
    rejections: float = 0.1
    latency: float = 1.0

    @property
    def window_s(self) -> int:
        """The window in seconds; ValueError for what is no duration."""
        found = re.fullmatch(r"([1-9]\d*)([smhd])", self.window)
        if not found:
            raise ValueError(self.window)
        return int(found[1]) * UNITS[found[2]]

    @property
    def interval_s(self) -> int:
        """Seconds between two evaluations: a twelfth of the window, at most a minute."""
        return max(1, min(LONGEST_INTERVAL_S, self.window_s // 12))


@dataclass(frozen=True)
class Subject:
    """What is watched: a model's name, its metrics' prefix, and how many fields are compared."""

    name: str
    prefix: str
    predictions: int
    inputs: int


def rule_groups(subject: Subject, limits: Thresholds) -> list[dict[str, Any]]:
    """The groups of a rules file, in the order in which rules build on each other."""
    p, interval = subject.prefix, f"{limits.interval_s}s"
    drift = [*_counts(p, limits), *_psi(subject, limits), *_ks(subject, limits)]
    return [
        {"name": f"{p}-drift", "interval": interval, "rules": [*drift, *_drift_alerts(p, limits)]},
        {
            "name": f"{p}-service",
            "interval": interval,
            "rules": [*_service_alerts(subject, limits)],
        },
    ]


def _counts(p: str, limits: Thresholds) -> Iterator[dict[str, Any]]:
    """Each value of each field: how often it was counted in the window, and at build."""
    yield _record(
        f"{p}:drift_samples:count",
        " or ".join(
            _labelled(of, f"max by ({JOB}, field, value) ({p}_{of}_baseline)")
            for of in ("predictions", "inputs")
        ),
    )
    counters = [("predictions", "predictions"), ("predictions", "prediction_bins")]
    live = " or ".join(
        _labelled(of, f"sum by ({JOB}, field, value) (increase({p}_{name}_total[{limits.window}]))")
        for of, name in [*counters, ("inputs", "inputs")]
    )
    # A value that only one of the two has is a zero in the other.
    yield _record(
        f"{p}:drift_live:count",
        f"(({live}) and on ({JOB}, of, field) {p}:drift_samples:count) "
        f"or 0 * {p}:drift_samples:count",
    )
    yield _record(
        f"{p}:drift_baseline:count", f"{p}:drift_samples:count or 0 * {p}:drift_live:count"
    )
    for side in ("live", "baseline"):
        count = f"{p}:drift_{side}:count"
        yield _record(f"{p}:drift_{side}:size", f"sum by ({JOB}, of, field) ({count})")
    yield _record(f"{p}:drift:bins", f"count by ({JOB}, of, field) ({p}:drift_live:count)")
    # After a deployment the window holds predictions of two models; a version may be built twice.
    versions = f"count by ({JOB}, name, version, created)"
    yield _record(
        f"{p}:drift:judged",
        f"{p}:drift_live:size >= {limits.least} "
        f"and {p}:drift_baseline:size >= {LEAST_SAMPLES} and on ({JOB}) "
        f"count by ({JOB}) ({versions} (last_over_time({p}_model_info[{limits.window}]))) == 1",
    )


def _psi(subject: Subject, limits: Thresholds) -> Iterator[dict[str, Any]]:
    """The population stability index of smoothed shares, and its limit."""
    p = subject.prefix
    for side in ("live", "baseline"):
        whole = f"({p}:drift_{side}:size + {p}:drift:bins / 2)"
        yield _record(
            f"{p}:drift_{side}:share",
            f"({p}:drift_{side}:count + 0.5) / on ({JOB}, of, field) group_left () {whole}",
        )
    live, baseline = f"{p}:drift_live:share", f"{p}:drift_baseline:share"
    yield _record(
        f"{p}:drift:psi",
        f"sum by ({JOB}, of, field) (({live} - {baseline}) * ln({live} / {baseline}))",
    )
    sizes = f"(1 / {p}:drift_live:size + 1 / {p}:drift_baseline:size)"
    quantiles = " or ".join(
        _chi2_quantile(f'{p}:drift:bins{{of="{of}"}}', limits.false_alarms / max(1, tests))
        for of, tests in (
            ("predictions", subject.predictions),
            ("inputs", TESTS_OF_A_FEATURE * subject.inputs),
        )
    )
    yield _record(f"{p}:drift:psi_limit", f"clamp_min(({quantiles}) * {sizes}, {limits.psi_floor})")


def _ks(subject: Subject, limits: Thresholds) -> Iterator[dict[str, Any]]:
    """Kolmogorov and Smirnov's distance of predicted numbers, and its limit."""
    p, value = subject.prefix, f"{subject.prefix}_prediction_value"
    by = f"{JOB}, field"
    # A histogram with negative buckets has no sum, and then no count of its own.
    size = f'sum by ({by}) (increase({value}_bucket{{le="+Inf"}}[{limits.window}]))'
    samples = f'max by ({by}) ({value}_baseline{{le="+Inf"}})'
    live = f"sum by ({by}, le) (increase({value}_bucket[{limits.window}]))"
    yield _record(
        f"{p}:drift:ks",
        f"max by ({by}) (abs({live} / on ({by}) group_left () {size} - on ({by}, le) "
        f"max by ({by}, le) ({value}_baseline) / on ({by}) group_left () {samples}))",
    )
    alpha = limits.false_alarms / max(1, subject.predictions)
    factor = -math.log(alpha / 2) / 2
    yield _record(
        f"{p}:drift:ks_limit",
        f"clamp_min(sqrt({factor:.6g} * (1 / {size} + 1 / {samples})), {limits.ks_floor})",
    )


def _drift_alerts(p: str, limits: Thresholds) -> Iterator[dict[str, Any]]:
    """Predictions or inputs have moved."""
    advice = (
        "The data may have changed: look at the page of the service, and consider training anew."
    )
    field = "{{ with $labels.field }} ({{ . }}){{ end }}"
    for of, alert in (("predictions", "PredictionsMoved"), ("inputs", "InputMoved")):
        psi = f'{p}:drift:psi{{of="{of}"}}'
        yield _alert(
            alert,
            f"{psi} > {p}:drift:psi_limit and {p}:drift:judged",
            f"{{{{ $labels.job }}}}: {of}{field} have moved: "
            f'PSI {{{{ $value | printf "%.2f" }}}} over the last {limits.window}',
            advice,
        )
    yield _alert(
        "PredictionsMovedInValue",
        f"{p}:drift:ks > {p}:drift:ks_limit "
        f'and on ({JOB}, field) {p}:drift:judged{{of="predictions"}}',
        f"{{{{ $labels.job }}}}: predictions{field} have moved: "
        f'KS {{{{ $value | printf "%.2f" }}}} over the last {limits.window}',
        advice,
    )


def _service_alerts(subject: Subject, limits: Thresholds) -> Iterator[dict[str, Any]]:
    """Nobody asks, nobody is there, or the answers are not what they should be."""
    p, window = subject.prefix, limits.window
    answered = f"sum by ({JOB}) (increase({p}_samples_total[{window}]))"
    failed = f"sum by ({JOB}) (increase({p}_failures_total[{window}]))"
    rejected = f"sum by ({JOB}) (increase({p}_rejected_total[{window}]))"
    long_s = max(UNITS["d"], 7 * limits.window_s)
    before = f"sum by ({JOB}) (increase({p}_samples_total[{long_s}s]))"
    asked = f"({answered} + {failed} + {rejected})"
    yield _alert(
        "ServiceMissing",
        f'absent({p}_model_info{{name="{subject.name}"}})',
        "{{ $labels.name }}: no service of this name is scraped",
        "It is down, or Prometheus does not find it.",
        "critical",
    )
    yield _alert(
        "NoPredictions",
        f"{answered} == 0 and {before} > 0",
        f"{{{{ $labels.job }}}}: no prediction in {window}, though there were some before",
        "Look at who should be asking, and at the network between.",
    )
    for alert, count, limit, what in (
        ("PredictionsFail", failed, limits.errors, "the model cannot answer"),
        ("SamplesRejected", rejected, limits.rejections, "are turned away"),
    ):
        yield _alert(
            alert,
            f"{count} / {asked} > {limit} and {asked} >= {limits.least}",
            f"{{{{ $labels.job }}}}: {{{{ $value | humanizePercentage }}}} of samples {what}",
            "The service's log names the requests, and the place in the notebook.",
        )
    buckets = f"sum by ({JOB}, le) (rate({p}_processing_seconds_bucket[{window}]))"
    yield _alert(
        "PredictionsSlow",
        f"histogram_quantile(0.99, {buckets}) > {limits.latency} "
        f"and on ({JOB}) {answered} >= {limits.least}",
        "{{ $labels.job }}: one request in a hundred takes more than {{ $value | humanize }} s",
        "Give the service more workers or replicas.",
    )


def _chi2_quantile(bins: str, alpha: float) -> str:
    """What a chi-square of as many degrees as there are bins, less one, passes with alpha.

    Exact for one degree, which a single bin is given, too; otherwise Wilson and
    Hilferty's approximation.
    """
    one, z = NormalDist().inv_cdf(1 - alpha / 2) ** 2, NormalDist().inv_cdf(1 - alpha)
    part = f"2 / (9 * ({bins} - 1))"
    many = f"({bins} - 1) * (1 - {part} + {z:.6g} * sqrt({part})) ^ 3"
    return f"(0 * ({bins} <= 2) + {one:.6g} or {many})"


def _labelled(of: str, vector: str) -> str:
    """A vector of predictions or of inputs, which says so."""
    return f'label_replace({vector}, "of", "{of}", "", "")'


def _record(name: str, expression: str) -> dict[str, Any]:
    return {"record": name, "expr": expression}


def _alert(
    name: str, expression: str, summary: str, description: str, severity: str = "warning"
) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expression,
        "labels": {"severity": severity},
        "annotations": {"summary": summary, "description": description},
    }
