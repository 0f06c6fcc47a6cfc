import math

import pytest

from nachlass_service.bundle.manifest import Baseline
from nachlass_service.metrics import drift
from nachlass_service.metrics.drift import (
    MIN_BASELINE,
    MIN_LIVE,
    chi2_quantile,
    compare_with_baseline,
    ks,
    psi,
)
from nachlass_service.metrics.drift_report import report
from nachlass_service.metrics.metrics import Metrics
from support.manifest import features_with, prediction_with

LABELS = prediction_with(labels={"": ("ham", "spam")})
NUMBERS = prediction_with(buckets={"": (0.0, 1.0, 2.0)})
BINS = ["(-Inf, 0.0]", "(0.0, 1.0]", "(1.0, 2.0]", "(2.0, +Inf)"]


def metrics_of(prediction, baseline, inputs=(), **options):
    baseline = Baseline(baseline, dict(inputs))
    metrics = Metrics(prediction, prefix="n", info={}, baseline=baseline, **options)
    metrics.counters.prepare(0)
    return metrics


def test_psi_is_computed_from_smoothed_shares():
    p, q = [60.5 / 101, 40.5 / 101], [50.5 / 101, 50.5 / 101]
    by_hand = sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True))
    assert psi([60, 40], [50, 50]) == pytest.approx(by_hand)
    assert psi([50, 50], [500, 500]) == pytest.approx(0)
    assert 0 < psi([100, 0], [50, 50]) < math.inf


def test_ks_is_the_largest_difference_of_cumulative_shares():
    assert ks([10, 20, 70], [30, 30, 40]) == pytest.approx(0.3)
    assert ks([0, 0, 5], [5, 0, 0]) == 1


@pytest.mark.parametrize(
    ("degrees", "alpha", "exact"),
    [
        (1, 0.05, 3.8415),
        (1, 0.0005, 12.1157),
        (2, 0.0005, 15.2018),
        (9, 0.001, 27.8772),
        (21, 0.0005, 48.9571),
        (100, 0.01, 135.807),
    ],
)
def test_quantiles_are_exact_or_slightly_conservative(degrees, alpha, exact):
    assert exact * (1 - 1e-3) <= chi2_quantile(degrees, alpha) <= exact * 1.035


def test_limits_depend_on_the_number_of_values_and_have_a_floor():
    assert drift.psi_limit(2, 200, 50, 0.0005) == pytest.approx(12.1157 / 40, rel=1e-4)
    assert drift.psi_limit(2, 1e6, 1e6, 0.0005) == drift.PSI_FLOOR
    assert drift.ks_limit(1000, 1000, 0.0005) == pytest.approx(0.0911, rel=1e-3)
    assert drift.ks_limit(1e6, 1e6, 0.0005) == drift.KS_FLOOR
    assert drift.psi_limit(2, 200, 50, 0.0005 / 20) > drift.psi_limit(2, 200, 50, 0.0005)


@pytest.mark.parametrize(
    ("live", "baseline", "verdict"),
    [
        ({"a": 500, "b": 500}, {"a": 100, "b": 100}, "steady"),
        ({"a": 950, "b": 50}, {"a": 100, "b": 100}, "moved"),
        ({"a": 1000}, {"a": 200}, "steady"),
        ({"a": 500, "b": 500}, {"a": 200}, "moved"),
        ({"null": 1000}, {"a": 200}, "moved"),
        ({"a": 500, "new": 500}, {"a": 100, "b": 100}, "moved"),
        ({"a": MIN_LIVE - 1}, {"a": 100, "b": 100}, "too little traffic"),
        ({}, {"a": 100, "b": 100}, "too little traffic"),
        ({"a": 1000}, {"b": MIN_BASELINE - 1}, "too few samples"),
        ({"a": 1000}, {}, "no baseline"),
    ],
)
def test_the_verdict_depends_on_the_counts(live, baseline, verdict):
    found = compare_with_baseline("", live, baseline, ordered=(), tests=1)
    assert found.verdict == verdict
    assert found.as_json()["verdict"] == verdict
    assert sum(now for _value, now, _then in found.shares) in (0, pytest.approx(1))


def test_small_shifts_of_numbers_are_detected_by_their_order():
    at_build = dict.fromkeys(map(str, range(20)), 50)
    now = {value: 50 + round(2.2 * (int(value) - 9.5)) for value in at_build}
    assert (
        compare_with_baseline("", now, at_build, ordered=list(at_build), tests=1).verdict == "moved"
    )
    assert compare_with_baseline("", now, at_build, ordered=(), tests=1).verdict == "steady"


@pytest.mark.parametrize(
    ("now", "ks"), [({"1": 600, "2": 400, "null": 1000}, 0.1), ({"null": 1000}, None)]
)
def test_only_numbers_are_ordered(now, ks):
    at_build = {"1": 100, "2": 100, "null": 20}
    found = compare_with_baseline("", now, at_build, ordered=["1", "2"], tests=1)
    assert found.verdict == "moved"
    assert found.ks == (ks and pytest.approx(ks))
    if ks:
        assert found.ks_limit == drift.ks_limit(1000, 200, drift.FALSE_ALARMS)


def test_the_report_has_a_sentence():
    metrics = metrics_of(LABELS, {"": {"ham": 100, "spam": 100}})
    assert report(metrics).sentence.startswith(
        "Not enough predictions to detect drift: 0 in the last 0 s (at least 200 needed)."
    )
    metrics.count(["ham", "spam"] * 500, 0.1)
    assert report(metrics).sentence == (
        "No drift detected: PSI 0.00 over the last 1,000 predictions (limit 0.07)."
    )
    metrics.count(["spam"] * 2000, 0.1)
    found = report(metrics)
    sentence = "Drift detected: PSI 0.54 over the last 3,000 predictions (limit 0.06)."
    assert found.sentence == sentence
    assert found.as_json()["predictions"][0]["psi"] == pytest.approx(
        psi([500, 2500], [100, 100]), rel=1e-4
    )


@pytest.mark.parametrize(
    ("baseline", "sentence"),
    [
        ({}, "The bundle has no baseline to compare predictions with."),
        ({"": {"ham": 7}}, "Not enough samples to detect drift: 7 (at least 50 needed)."),
    ],
)
def test_the_report_names_the_missing_data(baseline, sentence):
    metrics = metrics_of(LABELS, baseline)
    metrics.count(["ham"] * 1000, 0.1)
    assert report(metrics).sentence == sentence


def test_only_the_new_model_is_compared_after_a_reload():
    before, after = (metrics_of(LABELS, {"": {"ham": 100, "spam": 100}}) for _ in range(2))
    before.count(["spam"] * 1000, 0.1)
    after.continue_from(before)
    assert report(after).verdict == "too little traffic"
    after.count(["ham", "spam"] * 200, 0.1)
    assert report(after).predictions[0].live == {"ham": 200, "spam": 200}


def test_the_field_with_the_largest_shift_is_first():
    prediction = prediction_with(labels=dict.fromkeys("abc", ("x", "y")))
    metrics = metrics_of(prediction, {field: {"x": 500, "y": 500} for field in "abc"})
    metrics.count([{"a": "xy"[n % 2], "b": "x", "c": "xy"[n % 4 > 0]} for n in range(1000)], 0.1)
    found = report(metrics)
    verdicts = [(field.field, field.verdict) for field in found.predictions]
    assert verdicts == [("b", "moved"), ("c", "moved"), ("a", "steady")]
    assert "Drift detected in the field b: PSI" in found.sentence


def test_numbers_are_compared_in_their_buckets():
    metrics = metrics_of(NUMBERS, {"": dict.fromkeys(BINS, 100)})
    metrics.count([0.5, 1.5] * 500, 0.1)
    [field] = report(metrics).predictions
    assert (field.verdict, field.ks) == ("moved", 0.25)
    assert [row[0] for row in field.shares] == BINS
    assert field.bins == len(BINS)


def test_features_are_compared_too():
    inputs = {"0": {"(-Inf, 0.5]": 100, "(0.5, +Inf)": 100}, "1": {"a": 100, "b": 100}}
    metrics = metrics_of(
        LABELS, {}, inputs, features=features_with(labels={"1": ("a", "b")}, buckets={"0": (0.5,)})
    )
    for number in range(1000):
        metrics.count(["ham"], 0.1, metrics.bin_features([[1.0, "ab"[number % 2]]]))
    found = report(metrics)
    assert found.moved_inputs == ["0"]
    assert found.as_json()["inputs"][0]["ks"] == 0.5


def test_a_field_is_serialized_as_json():
    found = compare_with_baseline(
        "size", {"(-Inf, 1]": 90, "(1, +Inf)": 210, "null": 7}, {"(-Inf, 1]": 30, "(1, +Inf)": 30},
        ordered=["(-Inf, 1]", "(1, +Inf)"], tests=2,
    )  # fmt: skip
    p, q = [90.5 / 308.5, 210.5 / 308.5, 7.5 / 308.5], [30.5 / 61.5, 30.5 / 61.5, 0.5 / 61.5]
    by_hand = sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True))
    assert found.as_json() == {
        "field": "size",
        "verdict": "steady",
        "size": 307,
        "baseline_size": 60,
        "psi": round(by_hand, 6),
        "psi_limit": round(drift.psi_limit(3, 307, 60, drift.FALSE_ALARMS / 2), 6),
        "ks": 0.2,
        "ks_limit": round(drift.ks_limit(300, 60, drift.FALSE_ALARMS / 2), 6),
        "values": [
            {"value": "(-Inf, 1]", "share": 0.29316, "baseline_share": 0.5},
            {"value": "(1, +Inf)", "share": 0.684039, "baseline_share": 0.5},
            {"value": "null", "share": 0.022801, "baseline_share": 0},
        ],
    }


def test_long_fractions_are_rounded_to_six_digits():
    cut = ["low", "high"]
    found = compare_with_baseline(
        "", {"low": 100, "high": 200}, {"low": 20, "high": 50}, ordered=cut, tests=1
    )
    assert found.as_json()["ks"] == 0.047619
    low = found.as_json()["values"][0]
    assert (low["share"], low["baseline_share"]) == (0.333333, 0.285714)


@pytest.mark.parametrize(
    ("live", "baseline", "judged"),
    [
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {}, False),
        ({}, {"a": 1}, False),
        ({}, {}, False),
    ],
)
def test_statistics_need_values_on_both_sides(live, baseline, judged):
    found = compare_with_baseline("", live, baseline, ordered=["a", "b"], tests=1)
    shown = found.as_json()
    assert [shown[name] is not None for name in ("psi", "psi_limit", "ks", "ks_limit")] == (
        [judged] * 4
    )
    if not judged:
        assert (found.psi, found.psi_limit, found.ks, found.ks_limit) == (0, 0, None, None)
        assert found.excess == 0


def test_the_minimum_numbers_of_values_are_enough():
    found = compare_with_baseline("", {"a": MIN_LIVE}, {"a": MIN_BASELINE}, ordered=(), tests=1)
    assert found.verdict == "steady"


def test_a_statistic_at_its_limit_is_not_over_it(monkeypatch):
    live, baseline = {"a": 11000, "b": 9000}, {"a": 10000, "b": 10000}
    monkeypatch.setattr(drift, "KS_FLOOR", ks([11000, 9000], [10000, 10000]))
    monkeypatch.setattr(drift, "PSI_FLOOR", psi([11000, 9000], [10000, 10000]))
    found = compare_with_baseline("", live, baseline, ordered=["a", "b"], tests=1)
    assert (found.ks, found.psi) == (found.ks_limit, found.psi_limit)
    assert found.verdict == "steady"
    assert found.excess == 1


def test_more_fields_have_wider_limits():
    one, ten = (
        compare_with_baseline(
            "", {"a": 300, "b": 0}, {"a": 50, "b": 10}, ordered=["a", "b"], tests=tests
        )
        for tests in (1, 10)
    )
    assert one.ks_limit == drift.ks_limit(300, 60, drift.FALSE_ALARMS)
    assert ten.ks_limit == drift.ks_limit(300, 60, drift.FALSE_ALARMS / 10)
    assert ten.psi_limit == drift.psi_limit(2, 300, 60, drift.FALSE_ALARMS / 10)
    assert ten.ks_limit > one.ks_limit


def test_the_degrees_of_freedom_are_the_bins_minus_one():
    assert drift.psi_limit(3, 100, 100, 0.001) == chi2_quantile(2, 0.001) * 0.02


def test_rows_of_different_length_are_not_compared():
    for statistic in (psi, ks):
        with pytest.raises(ValueError, match="zip"):
            statistic([1, 2], [1, 2, 3])
