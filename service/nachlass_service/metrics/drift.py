"""Detects drift: compares the distribution of live values with that of the samples.

Two statistics compare N live values with M values of a baseline, counted in the
same k bins:

- The population stability index, PSI = sum((p - q) * ln(p / q)) over the bins,
  of smoothed shares, p = (n + 1/2) / (N + k/2), so that an empty bin does not
  yield infinity (Krichevsky and Trofimov, 1981). Without a shift it is about
  (1/N + 1/M) times a chi-square with k - 1 degrees of freedom (Yurdakul,
  "Statistical Properties of Population Stability Index", 2018): small samples
  exceed the customary 0.25 by chance, and large samples do not exceed it even
  with a relevant shift. The limit is that chi-square's quantile, or a floor if
  that is higher, because with much traffic an irrelevant shift is significant.
- The Kolmogorov-Smirnov statistic, the largest distance between the cumulative
  shares, for numbers: unlike PSI it uses the order of the bins. The limit is the
  asymptotic sqrt(-ln(alpha / 2) / 2 * (1/N + 1/M)) (Smirnov, 1948), which bins
  make more conservative, also with a floor.

The chi-square quantile is exact for one degree of freedom, otherwise the
approximation of Wilson and Hilferty (1931), within 3 % on the conservative side.
The rules for Prometheus use the same formulas.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import NormalDist
from typing import Literal, TypedDict

FALSE_ALARMS = 0.0005
"""The probability that a statistic exceeds its limit by chance, over all fields together."""
TESTS_OF_A_FEATURE = 2
"""Each feature counts as two tests: with twenty features the limits are so extreme that PSI
exceeds them up to twice as often as a chi-square would (tests/bench/drift_power.py).
"""
PSI_FLOOR = 0.02
KS_FLOOR = 0.05
MIN_LIVE = 200
"""The least number of live values to detect drift."""
MIN_BASELINE = 50
"""The least number of baseline values to detect drift: fewer do not show what is usual."""

Verdict = Literal["moved", "steady", "too little traffic", "too few samples", "no baseline"]


class ValueDocument(TypedDict):
    """A value's share of all values, live and in the baseline."""

    value: str
    share: float
    baseline_share: float


class FieldDocument(TypedDict):
    """A field in the document at /drift; statistics are null without values to compare."""

    field: str
    verdict: Verdict
    size: int
    baseline_size: int
    psi: float | None
    psi_limit: float | None
    ks: float | None
    ks_limit: float | None
    values: list[ValueDocument]


@dataclass(frozen=True)
class Drift:
    """One field's distribution, now and at build. `ks` is None for labels, which have no order.

    The first `bins` values are the intervals of numbers, the others are labels.
    """

    field: str
    live: Mapping[str, float]
    baseline: Mapping[str, float]
    verdict: Verdict
    psi: float
    psi_limit: float
    ks: float | None
    ks_limit: float | None
    bins: int

    @property
    def live_size(self) -> int:
        """The number of live values."""
        return int(sum(self.live.values()))

    @property
    def baseline_size(self) -> int:
        """The number of values in the baseline."""
        return int(sum(self.baseline.values()))

    @property
    def shares(self) -> list[tuple[str, float, float]]:
        """Each value with its live and baseline shares."""
        live, baseline = max(1, self.live_size), max(1, self.baseline_size)
        return [
            (value, n / live, self.baseline[value] / baseline) for value, n in self.live.items()
        ]

    @property
    def excess(self) -> float:
        """The larger statistic as a multiple of its limit: above 1, drift is detected."""
        far = self.ks / self.ks_limit if self.ks is not None and self.ks_limit else 0.0
        return max(far, self.psi / self.psi_limit if self.psi_limit else 0.0)

    def as_json(self) -> FieldDocument:
        """Return the field's part of the document at /drift."""
        judged = self.live_size > 0 and self.baseline_size > 0
        return {
            "field": self.field,
            "verdict": self.verdict,
            "size": self.live_size,
            "baseline_size": self.baseline_size,
            "psi": round(self.psi, 6) if judged else None,
            "psi_limit": round(self.psi_limit, 6) if judged else None,
            "ks": round(self.ks, 6) if judged and self.ks is not None else None,
            "ks_limit": round(self.ks_limit, 6) if judged and self.ks_limit is not None else None,
            "values": [
                {"value": value, "share": round(live, 6), "baseline_share": round(baseline, 6)}
                for value, live, baseline in self.shares
            ],
        }


def compare_with_baseline(
    field: str,
    live: Mapping[str, float],
    baseline: Mapping[str, float],
    *,
    ordered: Sequence[str],
    tests: int,
) -> Drift:
    """Compare a field's counts by value with the baseline's.

    `ordered` has the bins of numbers in ascending order. `tests` is the number of
    fields tested together, which share the probability of a false alarm.
    """
    values = [*ordered, *(v for v in dict.fromkeys((*baseline, *live)) if v not in set(ordered))]
    now = {value: live.get(value, 0) for value in values}
    then = {value: baseline.get(value, 0) for value in values}
    n, m = sum(now.values()), sum(then.values())
    numbers, numbers_then = [now[v] for v in ordered], [then[v] for v in ordered]
    alpha = FALSE_ALARMS / max(1, tests)
    distance = distance_limit = None
    if sum(numbers) and sum(numbers_then):
        distance = ks(numbers, numbers_then)
        distance_limit = ks_limit(sum(numbers), sum(numbers_then), alpha)
    index = psi(list(now.values()), list(then.values())) if n and m else 0.0
    index_limit = psi_limit(len(values), n, m, alpha) if n and m else 0.0
    verdict: Verdict
    if not m:
        verdict = "no baseline"
    elif m < MIN_BASELINE:
        verdict = "too few samples"
    elif n < MIN_LIVE:
        verdict = "too little traffic"
    else:
        far = distance is not None and distance_limit is not None and distance > distance_limit
        verdict = "moved" if far or index > index_limit else "steady"
    statistics = (index, index_limit, distance, distance_limit)
    return Drift(field, now, then, verdict, *statistics, bins=len(ordered))


def psi(live: Sequence[float], baseline: Sequence[float]) -> float:
    """Return the population stability index of two rows of counts, in nats."""
    pairs = zip(_smoothed(live), _smoothed(baseline), strict=True)
    return sum((p - q) * math.log(p / q) for p, q in pairs)


def ks(live: Sequence[float], baseline: Sequence[float]) -> float:
    """Return the largest distance between the cumulative shares of two rows of counts."""
    n, m = sum(live), sum(baseline)
    pairs = zip(accumulate(live), accumulate(baseline), strict=True)
    return max(abs(p / n - q / m) for p, q in pairs)


def psi_limit(bins: int, n: float, m: float, alpha: float) -> float:
    """Return the limit that the PSI of n and m values exceeds with probability alpha."""
    return max(PSI_FLOOR, chi2_quantile(bins - 1, alpha) * (1 / n + 1 / m))


def ks_limit(n: float, m: float, alpha: float) -> float:
    """Return the limit that the KS distance of n and m values exceeds with probability alpha."""
    return max(KS_FLOOR, math.sqrt(-math.log(alpha / 2) / 2 * (1 / n + 1 / m)))


def chi2_quantile(degrees: int, alpha: float) -> float:
    """Return the value that a chi-square variable exceeds with probability alpha."""
    if degrees <= 1:  # a single bin is treated as two
        return NormalDist().inv_cdf(1 - alpha / 2) ** 2
    part = 2 / (9 * degrees)
    return float(degrees * (1 - part + NormalDist().inv_cdf(1 - alpha) * math.sqrt(part)) ** 3)


def _smoothed(counts: Sequence[float]) -> list[float]:
    """Return the shares of counts, with half a count added to each bin."""
    total = sum(counts) + len(counts) / 2
    return [(count + 0.5) / total for count in counts]
