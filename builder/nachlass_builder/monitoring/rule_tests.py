"""Tests of the rules, for `promtool test rules`: which alerts fire for which traffic.

Each test plays two windows of synthetic traffic, and compares the alerts that fire at their end;
one also compares the PSI with Python's for the same counts. The traffic generator is in the same
file, because it is specific to these tests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nachlass_builder.monitoring.rules import Subject, Thresholds
from nachlass_builder.proof.describe_features import MIN_SAMPLES

STEPS = 12
"""Scrapes per window."""
BASELINE_SAMPLES = 1000
EVEN = {"a": 0.5, "b": 0.5}
UNEVEN = {"a": 0.95, "b": 0.05}
FIRING = 'count by (alertname) (ALERTS{alertstate="firing"})'
BINS = ("(-Inf, 1.0]", "(1.0, 2.0]", "(2.0, +Inf)")
BOUNDS = ("1.0", "2.0", "+Inf")

Series = list[dict[str, str]]


def rule_tests(subject: Subject, limits: Thresholds, rules: str) -> dict[str, Any]:
    """Return the file for promtool; it belongs next to `rules`."""
    traffic = _Traffic(subject, limits)
    size = 10 * limits.least
    steady = [*traffic.served(size), *traffic.labels("predictions", EVEN, EVEN, size)]
    before = traffic.info("before", f"1+0x{STEPS * 3 // 2}")
    moved = traffic.labels("predictions", EVEN, UNEVEN, size)
    thirds = dict.fromkeys(BINS, 1 / 3)
    rising = dict(zip(BINS, (0.1, 0.3, 0.6), strict=True))
    cases: list[tuple[str, Series, list[str]]] = [
        ("no drift", steady, []),
        ("drift", [*traffic.served(size), *moved], ["PredictionsMoved"]),
        (
            "a value unseen at build",
            [
                *traffic.served(size),
                *traffic.labels("predictions", EVEN, {"a": 0.5, "c": 0.5}, size),
            ],
            ["PredictionsMoved"],
        ),
        (
            "a burst of a value unseen at build",
            [
                *traffic.served(size),
                *traffic.labels("predictions", EVEN, EVEN, size),
                traffic.burst("predictions", "c", size),
            ],
            ["PredictionsMoved"],
        ),
        (
            "drift, but too few predictions",
            traffic.labels("predictions", EVEN, UNEVEN, limits.least // 2),
            [],
        ),
        (
            "drift, but too few samples",
            traffic.labels("predictions", EVEN, UNEVEN, size, MIN_SAMPLES // 2),
            [],
        ),
        ("drift, but another build was deployed", [*moved, *before], []),
        (
            "a second value, where the build had one",
            [*traffic.served(size), *traffic.labels("predictions", {"a": 1}, EVEN, size)],
            ["PredictionsMoved"],
        ),
        ("one value, as at build", traffic.labels("predictions", {"a": 1}, {"a": 1}, size), []),
        (
            "drift of numbers",
            traffic.numbers(thirds, rising, size),
            ["PredictionsMoved", "PredictionsMovedInValue"],
        ),
        ("numbers as at build", traffic.numbers(thirds, thirds, size), []),
        ("drift of the input", traffic.labels("inputs", EVEN, UNEVEN, size), ["InputMoved"]),
        ("failures", traffic.served(size, failed=size), ["PredictionsFail"]),
        ("rejections", traffic.served(size, rejected=size), ["SamplesRejected"]),
        (
            "some samples that do not match the schema",
            traffic.served(size, differing=size // 20),
            ["SamplesDiffer"],
        ),
        ("slow requests", traffic.served(size, slow=True), ["PredictionsSlow"]),
        ("slow batches", [*traffic.served(size), *traffic.slow_batches(size)], []),
        ("a worker crashed", [*traffic.served(size), traffic.crash()], ["WorkersCrash"]),
        ("two of three instances down", traffic.instances(up=1, down=2), ["InstancesDown"]),
        ("all instances up", traffic.instances(up=3), []),
        ("one scrape of one instance failed", traffic.instances(up=2, failed=1), []),
        ("no more requests", traffic.served(size, until=STEPS // 2), ["NoPredictions"]),
    ]
    tests = [
        traffic.test(name, [*series, *traffic.info()], {FIRING: _fired(alerts)})
        for name, series, alerts in cases
    ]
    tests.append(traffic.test("one scrape failed a window ago", traffic.gap(size), {FIRING: []}))
    vanished = traffic.info(values=f"1+0x{2 * STEPS - 1} stale")
    tests.append(traffic.test("one scrape failed", vanished, {FIRING: []}))
    psi = f"floor(1e6 * {subject.prefix}:drift:psi)"
    expected = math.floor(1e6 * _psi(UNEVEN, size, EVEN, BASELINE_SAMPLES))
    labels = '{job="test", of="predictions"}'
    numbers = [{"labels": labels, "value": expected}]
    tests += [
        traffic.test("the PSI", [*moved, *traffic.info()], {psi: numbers}),
        traffic.test("no service", [], {FIRING: _fired(["ServiceMissing"])}),
    ]
    interval = f"{traffic.step_s}s"
    return {"rule_files": [rules], "evaluation_interval": interval, "tests": tests}


class _Traffic:
    """Generates series for two windows."""

    def __init__(self, subject: Subject, limits: Thresholds) -> None:
        self._subject = subject
        self.step_s = max(1, limits.window_s // STEPS)
        self._window_s = limits.window_s
        self._in_window = limits.window_s / self.step_s

    def test(
        self, name: str, series: Series, expected: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> dict[str, Any]:
        """Return one test of the expressions' values after two windows."""
        return {
            "name": name,
            "interval": f"{self.step_s}s",
            "input_series": series,
            "promql_expr_test": [
                {"expr": expr, "eval_time": f"{2 * self._window_s}s", "exp_samples": samples}
                for expr, samples in expected.items()
            ],
        }

    def series(self, name: str, labels: str, values: str) -> dict[str, str]:
        return {"series": f"{name}{labels}", "values": values}

    def info(self, digest: str = "now", values: str | None = None) -> Series:
        """Return the series of the served model."""
        labels = f'{{job="test", name="{self._subject.name}", digest="{digest}"}}'
        name = f"{self._subject.prefix}_model_info"
        return [self.series(name, labels, values or self._constant(1))]

    def served(
        self,
        size: float,
        *,
        slow: bool = False,
        failed: float = 0,
        rejected: float = 0,
        differing: float = 0,
        until: int | None = None,
    ) -> Series:
        """Return series for `size` requests per window, of 10 ms or a minute, up to `until`."""
        name = f"{self._subject.prefix}_processing_seconds"
        quick = 0.0 if slow else size
        buckets = {"0.01": quick, "60.0": size, "+Inf": size}
        return [
            self.series(f"{name}_count", '{job="test"}', self._rate(size)),
            *(
                self.series(f"{name}_bucket", f'{{job="test", le="{le}"}}', self._rate(count))
                for le, count in buckets.items()
            ),
            self.series(
                f"{self._subject.prefix}_samples_total", '{job="test"}', self._rate(size, until)
            ),
            *(
                self.series(f"{self._subject.prefix}_{what}_total", labels, self._rate(n))
                for what, labels, n in (
                    ("failures", '{job="test"}', failed),
                    ("rejected", '{job="test", reason="refused"}', rejected),
                    ("rejected", '{job="test", reason="schema"}', differing),
                )
            ),
        ]

    def slow_batches(self, size: float) -> Series:
        """Return series for `size` batches per window, of five minutes each."""
        name = f"{self._subject.prefix}_batch_seconds_bucket"
        buckets = {"60.0": 0.0, "300.0": size, "+Inf": size}
        return [
            self.series(name, f'{{job="test", le="{le}"}}', self._rate(count))
            for le, count in buckets.items()
        ]

    def crash(self) -> dict[str, str]:
        """Return the series of a worker that crashes once, in the second window."""
        steps = math.ceil(2 * self._in_window)
        name = f"{self._subject.prefix}_workers_ended_total"
        values = f"0+0x{3 * steps // 4} 1+0x{steps - 3 * steps // 4 - 1}"
        return self.series(name, '{job="test", reason="crash"}', values)

    def instances(self, *, up: int, down: int = 0, failed: int = 0) -> Series:
        """Return series for instances, some down for a while, or at the last scrape."""
        steps = math.ceil(2 * self._in_window)
        was_up = steps - STEPS // 2
        values = {
            "up": (f"1+0x{steps}", f"1+0x{steps}"),
            "down": (f"1+0x{was_up} 0+0x{STEPS // 2 - 1}", f"1+0x{was_up} stale"),
            "failed": (f"1+0x{steps - 1} 0", f"1+0x{steps - 1} stale"),
        }
        kinds = ["up"] * up + ["down"] * down + ["failed"] * failed
        found = [self.series("up", '{job="test", instance="of another"}', f"0+0x{steps}")]
        for number, kind in enumerate(kinds):
            at = f'job="test", instance="{number}"'
            info = f'{{{at}, name="{self._subject.name}", digest="now"}}'
            name = f"{self._subject.prefix}_model_info"
            of_up, of_info = values[kind]
            found += [self.series("up", f"{{{at}}}", of_up), self.series(name, info, of_info)]
        return found

    def gap(self, size: float) -> Series:
        """Return series with drift long ago and none now, and one failed scrape."""
        steps = math.ceil(2 * self._in_window)
        before, after = steps // 2 - 1, steps - steps // 2
        found = [*self.served(size), *self.labels("predictions", EVEN, {}, size), *self.info()]
        for value, count in (("a", 100 * size), ("b", size)):
            grows = size / 2 / self._in_window
            labels = f'{{job="test", instance="one", field="", value="{value}"}}'
            values = f"{count:.12g}+{grows:.12g}x{before} stale "
            values += f"{count + grows * (before + 2):.12g}+{grows:.12g}x{after}"
            name = f"{self._subject.prefix}_predictions_total"
            found.append(self.series(name, labels, values))
        return found

    def burst(self, of: str, value: str, count: float) -> dict[str, str]:
        """Return a series of `count` values in one scrape of the second window only."""
        steps = math.ceil(2 * self._in_window)
        before = 3 * steps // 4
        labels = f'{{job="test", instance="one", field="", value="{value}"}}'
        name = f"{self._subject.prefix}_{of}_total"
        return self.series(name, labels, f"_x{before} {count:.12g}+0x{steps - before}")

    def labels(
        self,
        of: str,
        baseline: Mapping[str, float],
        live: Mapping[str, float],
        size: float,
        samples: int = BASELINE_SAMPLES,
        counter: str | None = None,
    ) -> Series:
        """Return series of values by share, at build and now, from two replicas, one restarted."""
        p = self._subject.prefix
        found = []
        for instance in ("one", "two"):
            at = f'job="test", instance="{instance}", field=""'
            for value, share in baseline.items():
                constant = self._constant(round(share * samples, 3))
                labels = f'{{{at}, value="{value}"}}'
                found.append(self.series(f"{p}_{of}_baseline", labels, constant))
            for value, share in live.items():
                labels = f'{{{at}, value="{value}"}}'
                rate = self._rate(share * size / 2, restarted=instance == "two")
                found.append(self.series(f"{p}_{counter or of}_total", labels, rate))
        return found

    def numbers(
        self, baseline: Mapping[str, float], live: Mapping[str, float], size: float
    ) -> Series:
        """Return series of numbers by the shares of their intervals, with their histogram."""
        name = f"{self._subject.prefix}_prediction_value"
        found = self.labels("predictions", baseline, live, size, counter="prediction_bins")
        up_to = {"now": 0.0, "then": 0.0}
        for bound, value in zip(BOUNDS, BINS, strict=True):
            labels = f'{{job="test", field="", le="{bound}"}}'
            up_to = {"now": up_to["now"] + live[value], "then": up_to["then"] + baseline[value]}
            then = self._constant(round(up_to["then"] * BASELINE_SAMPLES, 3))
            found += [
                self.series(f"{name}_bucket", labels, self._rate(up_to["now"] * size)),
                self.series(f"{name}_baseline", labels, then),
            ]
        return found

    def _rate(self, in_window: float, until: int | None = None, *, restarted: bool = False) -> str:
        """Return a counter that grows by `in_window` per window, for two windows or `until`.

        A restart, in the second window, resets it.
        """
        grows = f"{in_window / self._in_window:.12g}"
        steps = math.ceil(2 * self._in_window)
        if until is not None:
            return f"0+{grows}x{until} {float(grows) * until:.12g}+0x{steps - until}"
        if restarted:
            return f"0+{grows}x{3 * steps // 4} {grows}+{grows}x{steps - 3 * steps // 4 - 1}"
        return f"0+{grows}x{steps}"

    def _constant(self, value: float) -> str:
        return f"{value:.12g}+0x{math.ceil(2 * self._in_window)}"


def _fired(alerts: Sequence[str]) -> list[dict[str, Any]]:
    """Return the expected value of FIRING for these alerts."""
    return [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in alerts]


def _psi(live: Mapping[str, float], n: float, baseline: Mapping[str, float], m: float) -> float:
    """Return the population stability index of smoothed shares."""
    half = len(baseline) / 2
    pairs = [
        ((live[value] * n + 0.5) / (n + half), (baseline[value] * m + 0.5) / (m + half))
        for value in baseline
    ]
    return sum((p - q) * math.log(p / q) for p, q in pairs)
