"""The rules by which Prometheus detects drift and other problems: the values for rules.yml.

The rules compare a service's counts with the baseline that it exports, and give the same results
as /drift; the service's drift.py explains the statistics and their limits. The rules do not
depend on a bundle's labels or buckets, only the limits depend on the number of fields, so they
also work for later builds.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from nachlass_builder.monitoring.template import fill_in
from nachlass_builder.proof.describe_features import MIN_SAMPLES

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MAX_INTERVAL_S = 60
PATIENCE = 3
"""Intervals without a response before an alert: one scrape may fail."""
TESTS_OF_A_FEATURE = 2
"""The same as in the service, where it is explained."""


@dataclass(frozen=True)
class Thresholds:
    """The limits for alerts; `window` is a Prometheus duration, such as `1h`."""

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
        """The window in seconds; raises ValueError for an invalid duration."""
        found = re.fullmatch(r"([1-9]\d*)([smhd])", self.window)
        if not found:
            raise ValueError(self.window)
        return int(found[1]) * UNITS[found[2]]

    @property
    def interval_s(self) -> int:
        """The seconds between two evaluations: a twelfth of the window, at most a minute."""
        return max(1, min(MAX_INTERVAL_S, self.window_s // 12))


@dataclass(frozen=True)
class Subject:
    """The monitored model: its name, its metrics' prefix, and its numbers of compared fields."""

    name: str
    prefix: str
    predictions: int
    inputs: int


def rule_groups(subject: Subject, limits: Thresholds) -> list[dict[str, Any]]:
    """Return the groups of a rules file, in the order in which rules build on each other."""
    values = {
        "name": subject.name,
        "prefix": subject.prefix,
        "window": limits.window,
        "interval": f"{limits.interval_s}s",
        "patience": f"{PATIENCE * limits.interval_s}s",
        "before": f"{max(UNITS['d'], 7 * limits.window_s)}s",
        "least": str(limits.least),
        "least_samples": str(MIN_SAMPLES),
        "psi_floor": str(limits.psi_floor),
        "ks_floor": str(limits.ks_floor),
        "errors": str(limits.errors),
        "rejections": str(limits.rejections),
        "latency": str(limits.latency),
    }
    for kind, tests in (
        ("prediction", subject.predictions),
        ("input", TESTS_OF_A_FEATURE * subject.inputs),
    ):
        alpha = limits.false_alarms / max(1, tests)
        values[f"{kind}_chi2"] = f"{NormalDist().inv_cdf(1 - alpha / 2) ** 2:.6g}"
        values[f"{kind}_normal"] = f"{NormalDist().inv_cdf(1 - alpha):.6g}"
    alpha = limits.false_alarms / max(1, subject.predictions)
    values["ks_factor"] = f"{-math.log(alpha / 2) / 2:.6g}"
    groups: list[dict[str, Any]] = fill_in("rules.yml", values)["groups"]
    return groups
