"""Our drift statistics and those of frouros, an established library, on the same streams.

Each window draws a new baseline of M values and N live values. Printed is the percentage of
windows in which each rule detects drift; without a shift these are false alarms. The columns are
our rules, the customary rules (PSI above 0.25, p below 0.05), and the library's tests at our
probability of 0.0005.

    make bench-drift
    PYTHONPATH=service .venv/frouros/bin/python tests/bench/drift_library.py [WINDOWS]
"""

import sys
from collections import Counter

import numpy as np
from frouros.detectors.data_drift import PSI, ChiSquareTest, KSTest

from nachlass_service.metrics.drift import FALSE_ALARMS, compare_with_baseline

CUTS = 20
SIZES = [(50, 1000), (200, 1000), (1000, 1000), (2000, 2000)]
RULES = ("ours", "PSI>0.25", "p<0.05", "p<0.0005")


def labels(share):
    return lambda rng, size: rng.choice(["a", "b"], size, p=[share, 1 - share])


def numbers(shift):
    return lambda rng, size: rng.normal(shift, 1, size)


def ours(baseline, live):
    """Return whether the service would detect drift."""
    if baseline.dtype.kind == "U":
        counts = [Counter(map(str, values)) for values in (live, baseline)]
        ordered = ()
    else:
        bounds = np.quantile(baseline, np.linspace(0, 1, CUTS + 1))
        ordered = [str(number) for number in range(CUTS + 2)]
        bins = [np.searchsorted(bounds, values) for values in (live, baseline)]
        counts = [Counter(map(str, found)) for found in bins]
    return compare_with_baseline("", *counts, ordered=ordered, tests=1).verdict == "moved"


def library(baseline, live):
    """Return the library's PSI, and the p value of its test: KS or, for labels, chi-square."""
    is_labels = baseline.dtype.kind == "U"
    test = ChiSquareTest() if is_labels else KSTest()
    test.fit(X=baseline)
    p = test.compare(X=live)[0].p_value
    index = PSI(num_bins=2 if is_labels else 10)
    as_numbers = (lambda x: (x == "a").astype(float)) if is_labels else (lambda x: x)
    index.fit(X=as_numbers(baseline))
    return index.compare(X=as_numbers(live))[0].distance, p


def shares(before, now, m, n, windows):
    rng = np.random.default_rng(1)
    detections = dict.fromkeys(RULES, 0)
    for _ in range(windows):
        baseline, live = before(rng, m), now(rng, n)
        distance, p = library(baseline, live)
        detections["ours"] += ours(baseline, live)
        detections["PSI>0.25"] += distance > 0.25
        detections["p<0.05"] += p < 0.05
        detections["p<0.0005"] += p < FALSE_ALARMS
    return {rule: 100 * count / windows for rule, count in detections.items()}


def main():
    windows = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    cases = {
        "labels, no shift": (labels(0.5), labels(0.5)),
        "labels, 50 to 60 %": (labels(0.5), labels(0.6)),
        "numbers, no shift": (numbers(0.0), numbers(0.0)),
        "numbers, 0.25 sd": (numbers(0.0), numbers(0.25)),
    }
    print(f"{'':20}{'M':>6}{'N':>6}" + "".join(f"{rule:>10}" for rule in RULES))
    for name, (before, now) in cases.items():
        for m, n in SIZES:
            found = shares(before, now, m, n, windows)
            cells = "".join(f"{share:10.2f}" for share in found.values())
            print(f"{name:20}{m:6}{n:6}{cells}", flush=True)


if __name__ == "__main__":
    main()
