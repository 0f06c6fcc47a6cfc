"""The drift report: the document at /drift and the sentences of the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypedDict

from nachlass_service.bundle.manifest import Counts
from nachlass_service.metrics.drift import (
    FALSE_ALARMS,
    MIN_BASELINE,
    MIN_LIVE,
    TESTS_OF_A_FEATURE,
    Drift,
    FieldDocument,
    Verdict,
    compare_with_baseline,
)
from nachlass_service.metrics.metrics import Metrics

WORST: tuple[Verdict, ...] = (
    "moved", "steady", "too little traffic", "too few samples", "no baseline",
)  # fmt: skip
"""The verdict on several fields is the first of these that one of them has."""


class DriftDocument(TypedDict):
    """The document at /drift."""

    verdict: Verdict
    sentence: str
    seconds: float
    false_alarms: float
    predictions: list[FieldDocument]
    inputs: list[FieldDocument]


@dataclass(frozen=True)
class DriftReport:
    """The drift of each prediction field and each input feature in the last `seconds`."""

    predictions: Sequence[Drift]
    inputs: Sequence[Drift]
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """Return the verdict on the predictions."""
        return _verdict(self.predictions)

    @property
    def sentence(self) -> str:
        """Return the verdict on the predictions as a sentence."""
        verdict = self.verdict
        if verdict == "no baseline":
            return "The bundle has no baseline to compare predictions with."
        drift = next(drift for drift in self.predictions if drift.verdict == verdict)
        if verdict == "too few samples":
            count = drift.baseline_size
            needed = f"at least {MIN_BASELINE} needed"
            return f"Not enough samples to detect drift: {count} ({needed})."
        if verdict == "too little traffic":
            size = f"{drift.live_size:,} in the last {self.span}"
            needed = f"at least {MIN_LIVE} needed"
            return f"Not enough predictions to detect drift: {size} ({needed})."
        statistic, limit = _decisive(drift)
        finding = f"{statistic} over the last {drift.live_size:,} predictions (limit {limit})"
        if verdict == "steady":
            return f"No drift detected: {finding}."
        field = f" in the field {drift.field}" if drift.field else ""
        return f"Drift detected{field}: {finding}."

    @property
    def moved_inputs(self) -> list[str]:
        """Return the features that have drifted."""
        return [drift.field for drift in self.inputs if drift.verdict == "moved"]

    @property
    def span(self) -> str:
        """Return the length of the window."""
        for unit, name in ((3600, "h"), (60, "min")):
            if self.seconds >= 2 * unit:
                return f"{self.seconds / unit:.0f} {name}"
        return f"{self.seconds:.0f} s"

    def as_json(self) -> DriftDocument:
        """Return the document at /drift."""
        return {
            "verdict": self.verdict,
            "sentence": self.sentence,
            "seconds": round(self.seconds, 1),
            "false_alarms": FALSE_ALARMS,
            "predictions": [drift.as_json() for drift in self.predictions],
            "inputs": [drift.as_json() for drift in self.inputs],
        }


def report(metrics: Metrics) -> DriftReport:
    """Compare the counts of the window with the baseline; the most drifted field is first."""
    predictions, inputs, seconds = metrics.recent()
    baseline = metrics.baseline
    return DriftReport(
        _compared(predictions, baseline["predictions"], metrics.ordered, 1),
        _compared(inputs, baseline["inputs"], metrics.inputs.ordered, TESTS_OF_A_FEATURE),
        seconds,
    )


def _compared(
    live: Counts, baseline: Counts, ordered: Callable[[str], Sequence[str]], tests_of_each: int
) -> list[Drift]:
    """Compare each field that the baseline or the traffic has."""
    fields = (field for field, counts in live.items() if any(counts.values()))
    drifts = [
        compare_with_baseline(
            field,
            live.get(field, {}),
            baseline.get(field, {}),
            ordered=ordered(field),
            tests=tests_of_each * len(baseline),
        )
        for field in dict.fromkeys((*baseline, *fields))
    ]
    return sorted(drifts, key=lambda drift: (WORST.index(drift.verdict), -drift.excess))


def _verdict(drifts: Sequence[Drift]) -> Verdict:
    """Return the verdict on several fields."""
    found = {drift.verdict for drift in drifts}
    return next((verdict for verdict in WORST if verdict in found), "no baseline")


def statistic(name: str, value: float, limit: float) -> tuple[str, str]:
    """Return `PSI 0.54` and its limit, with two decimals or as many as tell them apart."""
    decimals = next((n for n in (2, 3, 4) if f"{value:.{n}f}" != f"{limit:.{n}f}"), 2)
    return f"{name} {value:.{decimals}f}", f"{limit:.{decimals}f}"


def _decisive(drift: Drift) -> tuple[str, str]:
    """Return the statistic that decides, and its limit: PSI, unless only KS exceeds its limit."""
    by_ks = drift.ks is not None and drift.ks_limit and drift.ks > drift.ks_limit
    if by_ks and drift.psi <= drift.psi_limit:
        return statistic("KS", drift.ks or 0.0, drift.ks_limit or 0.0)
    return statistic("PSI", drift.psi, drift.psi_limit)
