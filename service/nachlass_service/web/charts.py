"""The charts of the page: each field's distribution now, beside the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nachlass_service.metrics.drift import Drift, Verdict
from nachlass_service.metrics.drift_report import statistic
from nachlass_service.web.readable import percent, readable_bins, scale

MAX_ROWS = 20
MAX_CHARTS = 20
VERDICTS: dict[Verdict, str] = {
    "moved": "drift detected",
    "steady": "no drift",
    "too little traffic": "not enough traffic",
    "too few samples": "not enough samples",
    "no baseline": "no baseline",
}


@dataclass(frozen=True)
class Row:
    """A value in a chart: its label, the exact one, its shares, the lengths of its bars in %."""

    value: str
    exact: str
    live: str
    baseline: str
    live_bar: float
    baseline_bar: float


@dataclass(frozen=True)
class Chart:
    """A field: its verdict and statistics, the values shown, and the number of the others."""

    drift: Drift
    verdict: str
    statistics: Sequence[str]
    ticks: Sequence[str]
    rows: Sequence[Row]
    more: int
    is_open: bool


def charts_of(drifts: Sequence[Drift], *, open_first: bool) -> list[Chart]:
    """Return the first charts; the first one is open if it moved, or with `open_first`."""
    return [
        _chart(drift, is_open=not number and (open_first or drift.verdict == "moved"))
        for number, drift in enumerate(drifts[:MAX_CHARTS])
    ]


def _chart(drift: Drift, *, is_open: bool) -> Chart:
    """Return the chart of a field, with the most frequent labels if there are many."""
    shares = drift.shares
    labels = [*readable_bins([value for value, *_ in shares[: drift.bins]])]
    rows = [*zip([*labels, *(value for value, *_ in shares[drift.bins :])], shares, strict=True)]
    bins, counted = rows[: drift.bins], rows[drift.bins :]
    if len(counted) > MAX_ROWS:
        counted = sorted(counted, key=lambda row: -max(row[1][1:]))[:MAX_ROWS]
    rows = [*bins, *counted]
    end, ticks = scale(max((share for _, (_, *both) in rows for share in both), default=0))
    return Chart(
        drift=drift,
        verdict=VERDICTS[drift.verdict],
        statistics=_statistics(drift),
        ticks=[*ticks],
        rows=[_row(label, share, end) for label, share in rows],
        more=len(shares) - len(rows),
        is_open=is_open,
    )


def _row(label: str, share: tuple[str, float, float], end: float) -> Row:
    exact, live, baseline = share
    bars = (round(100 * part / end, 2) for part in (live, baseline))
    return Row(label, exact, percent(live), percent(baseline), *bars)


def _statistics(drift: Drift) -> list[str]:
    """Return PSI and KS with their limits; none while there are too few values."""
    if drift.verdict not in ("moved", "steady"):
        return []
    found = [statistic("PSI", drift.psi, drift.psi_limit)]
    if drift.ks is not None and drift.ks_limit is not None:
        found.append(statistic("KS", drift.ks, drift.ks_limit))
    return [f"{text} (limit {limit})" for text, limit in found]
