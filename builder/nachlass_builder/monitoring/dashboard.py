"""A Grafana dashboard of a service: now beside the baseline, and how it answers.

It shows what rules.py records.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nachlass_builder.monitoring.rules import Subject, Thresholds

SCHEMA_VERSION = 39
HEIGHT, WIDTH = 8, 12
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def dashboard(subject: Subject, limits: Thresholds) -> dict[str, Any]:
    """The dashboard, as Grafana imports it."""
    return {
        "title": f"{subject.name}: predictions and drift",
        "uid": f"nachlass-{subject.name}"[:40],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": _variables(subject)},
        "panels": list(_panels(subject.prefix, limits.window)),
    }


def queries(board: dict[str, Any]) -> list[str]:
    """Every query of a dashboard."""
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def _variables(subject: Subject) -> list[dict[str, Any]]:
    """Which Prometheus, and which service."""
    jobs = f'label_values({subject.prefix}_model_info{{name="{subject.name}"}}, job)'
    return [
        {"name": "datasource", "type": "datasource", "query": "prometheus"},
        {"name": "job", "type": "query", "datasource": SOURCE, "query": jobs, "refresh": 2},
    ]


def _panels(p: str, window: str) -> Iterator[dict[str, Any]]:
    """The panels, two in a row."""
    job = '{job="$job"}'
    predictions, inputs = '{job="$job", of="predictions"}', '{job="$job", of="inputs"}'
    rate = f'sum by (field, value) (rate({p}_predictions_total{{job="$job"}}[5m]))'
    buckets = f'sum by (le) (rate({p}_processing_seconds_bucket{{job="$job"}}[5m]))'
    now, then = f"{p}:drift_live:share", f"{p}:drift_baseline:share"

    def psi(of: str) -> list[tuple[str, str]]:
        return [
            (f"{p}:drift:psi{of}", "PSI {{field}}"),
            (f"{p}:drift:psi_limit{of}", "limit {{field}}"),
        ]

    def shares(of: str) -> list[tuple[str, str]]:
        return [
            (f"{now}{of}", "{{field}} {{value}}, now"),
            (f"{then}{of}", "{{field}} {{value}}, at build"),
        ]

    shown = [
        ("Predictions: PSI, and its limit", "timeseries", "none", psi(predictions)),
        ("Predicted numbers: KS, and its limit", "timeseries", "none", [
            (f"{p}:drift:ks{job}", "KS {{field}}"),
            (f"{p}:drift:ks_limit{job}", "limit {{field}}"),
        ]),
        (f"Predictions: the last {window}, and at build", "bargauge", "percentunit",
         shares(predictions)),
        ("Predictions by value, over time", "timeseries", "percentunit", [
            (f"{now}{predictions}", "{{field}} {{value}}"),
        ]),
        ("Input: PSI by feature, and its limit", "timeseries", "none", psi(inputs)),
        (f"Input: the last {window}, and at build", "bargauge", "percentunit",
         shares(inputs)),
        ("Predictions a second", "timeseries", "reqps", [(rate, "{{field}} {{value}}")]),
        ("Seconds to answer", "timeseries", "s", [
            (f"histogram_quantile(0.5, {buckets})", "half of the requests"),
            (f"histogram_quantile(0.99, {buckets})", "99 of 100"),
        ]),
        ("Failed and rejected requests a second", "timeseries", "reqps", [
            (f"sum (rate({p}_failures_total{job}[5m]))", "failed"),
            (f"sum by (reason) (rate({p}_rejected_total{job}[5m]))", "{{reason}}"),
        ]),
        ("What is served", "table", "none", [
            (f"count by (name, version, commit, created) ({p}_model_info{job})", ""),
        ]),
    ]  # fmt: skip
    for number, (title, kind, unit, targets) in enumerate(shown):
        row, column = divmod(number, 2)
        yield {
            "id": number + 1,
            "title": title,
            "type": kind,
            "datasource": SOURCE,
            "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
            "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
            "targets": [
                {
                    "refId": "ABC"[index],
                    "datasource": SOURCE,
                    "expr": expression,
                    "legendFormat": legend,
                    "instant": kind != "timeseries",
                    "format": "table" if kind == "table" else "time_series",
                }
                for index, (expression, legend) in enumerate(targets)
            ],
        }
