"""The rules agree with the service: the same limits and parameters."""

import inspect
import math
import re
from pathlib import Path

import pytest
import yaml

from nachlass_builder.cli.monitoring import monitoring
from nachlass_builder.monitoring import rules
from nachlass_builder.monitoring.dashboard import dashboard, queries
from nachlass_builder.monitoring.rules import Subject, Thresholds, rule_groups
from nachlass_builder.proof import describe_features
from nachlass_service.metrics import drift

SUBJECT = Subject("m", "n", predictions=3, inputs=7)
EXACT = Path(__file__).with_name("rules.yml")


def expressions(subject=SUBJECT, **limits):
    groups = rule_groups(subject, Thresholds(**limits))
    rules = [rule for group in groups for rule in group["rules"]]
    return {rule.get("record") or rule["alert"]: rule["expr"] for rule in rules}


def test_builder_and_service_have_the_same_defaults():
    limits = Thresholds()
    assert limits.false_alarms == drift.FALSE_ALARMS
    assert (limits.psi_floor, limits.ks_floor) == (drift.PSI_FLOOR, drift.KS_FLOOR)
    assert limits.least == drift.MIN_LIVE
    assert rules.TESTS_OF_A_FEATURE == drift.TESTS_OF_A_FEATURE
    assert describe_features.MIN_SAMPLES == drift.MIN_BASELINE


def test_the_command_has_the_same_defaults_and_documents_each():
    options = {option.name: option for option in monitoring.params}
    for name in inspect.signature(Thresholds).parameters:
        assert options[name].default == getattr(Thresholds(), name)
        assert options[name].help.endswith(".")


@pytest.mark.parametrize("of", ["predictions", "inputs"])
@pytest.mark.parametrize("bins", [1, 2, 3, 11, 100])
def test_rules_and_service_have_the_same_limit(of, bins):
    alarms = 0.001 if of == "predictions" else 0.002
    limit = expressions(Subject("m", "n", 1, 1), false_alarms=alarms)["n:drift:psi_limit"]
    limit = limit.replace(f'n:drift:bins{{of="{of}"}}', "bins").replace("^", "**")
    one, many = re.search(r"\(0 \* \(bins <= 2\) \+ ([\d.]+) or (.*? \*\* 3)\)", limit).groups()
    found = float(one) if bins <= 2 else eval(many, {"sqrt": math.sqrt, "bins": bins})
    assert found == pytest.approx(drift.chi2_quantile(bins - 1, 0.001), rel=1e-4)


def test_the_limit_depends_on_the_number_of_tested_fields():
    limit = expressions(Subject("m", "n", 3, 20))["n:drift:psi_limit"]
    for quantile, tests in zip(re.findall(r"\+ ([\d.]+) or", limit), (3, 40), strict=True):
        exact = drift.chi2_quantile(1, drift.FALSE_ALARMS / tests)
        assert float(quantile) == pytest.approx(exact, rel=1e-4)


@pytest.mark.parametrize(
    ("window", "seconds", "interval"),
    [("60s", 60, 5), ("1m", 60, 5), ("1h", 3600, 60), ("7d", 604800, 60)],
)
def test_a_window_sets_the_interval(window, seconds, interval):
    limits = Thresholds(window=window)
    assert (limits.window_s, limits.interval_s) == (seconds, interval)
    assert f"[{window}]" in expressions(window=window)["n:drift_live:count"]


def test_the_dashboard_uses_only_recorded_series():
    recorded = {name for name in expressions() if ":" in name}
    board = dashboard(SUBJECT, Thresholds())
    used = set(re.findall(r"n:[a-z_:]+", " ".join(queries(board))))
    assert used
    assert used <= recorded
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len({*places}) == len(places)


def test_the_rules_match_the_expected_file():
    """Compare with every expression and text in rules.yml; update that file with a rule."""
    limits = Thresholds("2d", 0.001, 0.03, 0.06, 250, 0.02, 0.2, 1.5)
    groups = rule_groups(Subject("iris", "flowers", predictions=3, inputs=7), limits)
    assert groups == yaml.safe_load(EXACT.read_text())


def test_a_model_without_fields_counts_as_having_one():
    alone, none = (expressions(Subject("m", "n", fields, fields)) for fields in (1, 0))
    assert none["n:drift:ks_limit"] == alone["n:drift:ks_limit"]
    factor = -math.log(drift.FALSE_ALARMS / 2) / 2
    assert f"sqrt({factor:.6g} * " in alone["n:drift:ks_limit"]
    quantile = drift.chi2_quantile(1, drift.FALSE_ALARMS)
    assert none["n:drift:psi_limit"].count(f"+ {quantile:.6g} or") == 2
    assert alone["n:drift:psi_limit"].count(f"+ {quantile:.6g} or") == 1


@pytest.mark.parametrize(
    ("window", "before"), [("1s", 86400), ("3h", 86400), ("4h", 100800), ("2d", 1209600)]
)
def test_the_previous_period_is_seven_windows_and_at_least_a_day(window, before):
    assert f"_samples_total[{before}s]" in expressions(window=window)["NoPredictions"]


@pytest.mark.parametrize("window", ["", "0h", "1", "h", "1w", "1h30m", " 1h", "-1h", "1.5h"])
def test_an_invalid_duration_is_rejected(window):
    with pytest.raises(ValueError, match=f"^{re.escape(window)}$"):
        rule_groups(SUBJECT, Thresholds(window=window))


def test_rules_are_evaluated_at_most_once_a_second():
    assert Thresholds(window="1s").interval_s == 1
