"""False alarms and power of the drift statistics, by simulation: 100,000 windows per row.

Each window has a new baseline, as a build has new samples, with the buckets of numbers derived
from it as in a build. Prints the tables behind the defaults in
service/nachlass_service/metrics/drift.py. The limits are that module's functions; the statistics
are its formulas, for arrays.

    python tests/bench/drift_power.py [WINDOWS]
"""

import sys

import numpy as np

from nachlass_service.metrics.drift import (
    FALSE_ALARMS,
    TESTS_OF_A_FEATURE,
    chi2_quantile,
    ks_limit,
    psi_limit,
)

CHUNK = 5_000
BASELINES, SIZES = (50, 200, 1000), (200, 1000, 10_000)
CUSTOMARY_PSI = 0.25
CUTS, DECILES = 20, 10
FEATURES = 20


def smoothed(counts):
    bins = counts.shape[1]
    return (counts + 0.5) / (counts.sum(axis=1, keepdims=True) + bins / 2)


def psi(live, base):
    p, q = smoothed(live), smoothed(base)
    return ((p - q) * np.log(p / q)).sum(axis=1)


def ks(live, base):
    far = live.cumsum(axis=1) / live.sum(axis=1, keepdims=True)
    return abs(far - base.cumsum(axis=1) / base.sum(axis=1, keepdims=True)).max(axis=1)


def chi2(live, base):
    """Return Pearson's statistic of homogeneity and its degrees of freedom for each row."""
    n, m = live.sum(axis=1, keepdims=True), base.sum(axis=1, keepdims=True)
    both = live + base
    expected_live, expected_base = both * n / (n + m), both * m / (n + m)
    with np.errstate(invalid="ignore", divide="ignore"):
        cells = (live - expected_live) ** 2 / expected_live
        cells += (base - expected_base) ** 2 / expected_base
    return np.nansum(cells, axis=1), (both > 0).sum(axis=1) - 1


def two(share):
    """Return two classes, the first with this share."""
    return np.array([share, 1 - share])


def of_labels(before, now):
    """Return a function that draws rows of counts for labels of given probabilities."""

    def draw(rng, rows, m, n):
        return rng.multinomial(n, now, rows), rng.multinomial(m, before, rows)

    return draw


def of_numbers(shift, cuts=CUTS):
    """Return a function that draws counts of a logistic variable with a shift in deviations."""
    move = shift * np.pi / np.sqrt(3)

    def draw(rng, rows, m, n):
        samples = np.sort(rng.logistic(size=(rows, m)), axis=1)
        at = np.linspace(0, m - 1, cuts + 1)
        low = np.floor(at).astype(int)
        bounds = samples[:, low]
        bounds += (at - low) * (samples[:, np.minimum(low + 1, m - 1)] - bounds)
        chances = np.diff(1 / (1 + np.exp(move - bounds)), axis=1, prepend=0, append=1)
        base = np.diff(low + 1, prepend=0, append=m)  # no two samples are equal
        return rng.multinomial(n, chances), np.tile(base, (rows, 1))

    return draw


def shares(draw, m, n, windows, fields=1, tests=1):
    """Return the share of windows in which each rule detects drift in any field.

    The fields are independent, so one is drawn for all of them; `tests` is the number of tests
    that they count as.
    """
    rng, alpha = np.random.default_rng(1), FALSE_ALARMS / tests
    detections = dict.fromkeys(("PSI", "KS", "either", "chi2", "PSI>0.25"), 0)
    done = 0
    while done < windows:
        rows = min(CHUNK, windows - done)
        live, base = draw(rng, rows, m, n)
        bins = live.shape[1]
        index = psi(live, base)
        moved = index > psi_limit(bins, n, m, alpha)
        far = ks(live, base) > ks_limit(n, m, alpha)
        statistic, degrees = chi2(live, base)
        limits = np.array([chi2_quantile(int(d), alpha) for d in range(bins)])
        detections["PSI"] += moved.sum()
        detections["KS"] += far.sum()
        detections["either"] += (moved | far).sum()
        detections["chi2"] += (statistic > limits[degrees]).sum()
        detections["PSI>0.25"] += (index > CUSTOMARY_PSI).sum()
        done += rows
    return {name: fields * count / windows for name, count in detections.items()}


def main():
    windows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    quiet = {
        "2 labels, 50/50": of_labels(two(0.5), two(0.5)),
        "2 labels, 95/5": of_labels(two(0.95), two(0.95)),
        "5 labels": of_labels(*[np.array([0.4, 0.3, 0.2, 0.07, 0.03])] * 2),
        "20 labels": of_labels(*[np.full(20, 0.05)] * 2),
        "numbers": of_numbers(0.0),
    }
    print(f"false alarms per 1,000 windows, {windows:,} windows, alpha {FALSE_ALARMS}")
    show(quiet, [(m, n) for m in BASELINES for n in SIZES], windows, 1000)
    print(f"\nthe same for {FEATURES} features of the input together")
    features = {
        "2 labels, 90/10": of_labels(two(0.9), two(0.9)),
        "deciles": of_numbers(0.0, DECILES),
    }
    tests = TESTS_OF_A_FEATURE * FEATURES
    show(features, [(m, n) for m in BASELINES for n in SIZES], windows, 1000, FEATURES, tests)
    moved = {
        "2 labels, 50 to 60 %": of_labels(two(0.5), two(0.6)),
        "numbers, 0.25 sd": of_numbers(0.25),
    }
    print("\ndetection, in percent of windows")
    sizes = [(1000, 1000), (2000, 2000), *((m, n) for m in BASELINES for n in SIZES)]
    show(moved, list(dict.fromkeys(sizes)), windows, 100)


def show(cases, sizes, windows, scale, fields=1, tests=1):
    print(f"{'':24}{'M':>6}{'N':>7}{'PSI':>8}{'KS':>8}{'either':>8}{'chi2':>8}{'PSI>0.25':>10}")
    for name, draw in cases.items():
        for m, n in sizes:
            found = shares(draw, m, n, windows, fields, tests)
            cells = "".join(f"{scale * found[k]:8.2f}" for k in ("PSI", "KS", "either", "chi2"))
            print(f"{name:24}{m:6}{n:7}{cells}{scale * found['PSI>0.25']:10.2f}", flush=True)


if __name__ == "__main__":
    main()
