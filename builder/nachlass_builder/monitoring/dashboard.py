"""A Grafana dashboard of a service: current values vs. the baseline, errors and latency.

It shows the series that rules.yml records; dashboard.yml has its panels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nachlass_builder.monitoring.rules import Subject, Thresholds
from nachlass_builder.monitoring.template import fill_in

SCHEMA_VERSION = 39
HEIGHT, WIDTH = 8, 12
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def dashboard(subject: Subject, limits: Thresholds) -> dict[str, Any]:
    """Return the dashboard in Grafana's import format."""
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
    """Return every query of a dashboard."""
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def _variables(subject: Subject) -> list[dict[str, Any]]:
    """Return the variables that select the Prometheus and the service."""
    jobs = f'label_values({subject.prefix}_model_info{{name="{subject.name}"}}, job)'
    return [
        {"name": "datasource", "type": "datasource", "query": "prometheus"},
        {"name": "job", "type": "query", "datasource": SOURCE, "query": jobs, "refresh": 2},
    ]


def _panels(prefix: str, window: str) -> Iterator[dict[str, Any]]:
    """Yield the panels, two per row."""
    panels = fill_in("dashboard.yml", {"prefix": prefix, "window": window})["panels"]
    for number, panel in enumerate(panels):
        row, column = divmod(number, 2)
        yield {
            "id": number + 1,
            "title": panel["title"],
            "type": panel["type"],
            "datasource": SOURCE,
            "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
            "fieldConfig": {"defaults": {"unit": panel["unit"], "min": 0}, "overrides": []},
            "targets": [
                {
                    "refId": "ABC"[index],
                    "datasource": SOURCE,
                    "expr": expression,
                    "legendFormat": legend,
                    "instant": panel["type"] != "timeseries",
                    "format": "table" if panel["type"] == "table" else "time_series",
                }
                for index, (expression, legend) in enumerate(panel["targets"])
            ],
        }
