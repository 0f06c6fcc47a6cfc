"""Writes the files with which Prometheus and Grafana monitor a model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from nachlass_builder.assemble.build import build
from nachlass_builder.bundle.layout import bundle_at
from nachlass_builder.bundle.manifest import Manifest, load_manifest
from nachlass_builder.foundation.errors import SourceError
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.foundation.settings import Settings, unquote
from nachlass_builder.monitoring.dashboard import dashboard
from nachlass_builder.monitoring.rule_tests import rule_tests
from nachlass_builder.monitoring.rules import Subject, Thresholds, rule_groups
from nachlass_builder.source.prepare import Request

PREFIX = "S2I_APP_METRICS_PREFIX"
PREFIX_FORM = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
RULES, TESTS = "rules.yml", "rules_test.yml"
ADDRESS = "localhost:8080"


def monitoring(request: Request, folder: Path, limits: Thresholds) -> list[Path]:
    """Write the files for a bundle, or for a source, which is built if it changed.

    The files are rules and their tests, for Prometheus and promtool; a configuration to try
    them; the rules as an object of the Prometheus operator, with a ServiceMonitor; a dashboard
    for Grafana. Return their paths.
    """
    settings = Settings.from_environ(request.environ, request.assignments)
    manifest = bundle_at(Path(request.source))
    if manifest is None:
        built = build(request, Progress())
        manifest, settings = load_manifest(built.bundle), built.settings
    subject = _subject(manifest, settings.parameters)
    groups = rule_groups(subject, limits)
    texts = {
        RULES: _yaml({"groups": groups}),
        TESTS: _yaml(rule_tests(subject, limits, RULES)),
        "prometheus.yml": _yaml(_configuration(subject, limits)),
        "kubernetes.yaml": _yaml(_rule_object(subject, groups), _service_monitor(subject)),
        "dashboard.json": json.dumps(dashboard(subject, limits), indent=2) + "\n",
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise SourceError(
            f"{error.filename} cannot be written: {error.strerror}",
            remedy="name another folder with -o",
        ) from error
    return [folder / name for name in texts]


def _subject(manifest: Manifest, parameters: Mapping[str, str]) -> Subject:
    """Return what to monitor of a bundle; raise SourceError for an invalid prefix."""
    prefix = unquote(parameters.get(PREFIX, "")).strip() or "nachlass"
    if not PREFIX_FORM.fullmatch(prefix):
        raise SourceError(f"{PREFIX} is {prefix!r}", remedy="use letters, digits and underscores")
    return Subject(
        name=manifest.name,
        prefix=prefix,
        predictions=len(manifest.baseline.predictions),
        inputs=len(manifest.baseline.inputs),
    )


def _configuration(subject: Subject, limits: Thresholds) -> dict[str, Any]:
    """Return a configuration for a Prometheus on the same machine as `nachlass serve`."""
    seconds = max(1, min(15, limits.window_s // 30))
    return {
        "global": {"scrape_interval": f"{seconds}s"},
        "rule_files": [RULES],
        "scrape_configs": [{"job_name": subject.name, "static_configs": [{"targets": [ADDRESS]}]}],
    }


def _rule_object(subject: Subject, groups: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the rules as an object of the Prometheus operator."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": subject.name, "labels": {"app": subject.name}},
        "spec": {"groups": groups},
    }


def _service_monitor(subject: Subject) -> dict[str, Any]:
    """Return the object that makes the operator scrape the Service with the label `app`."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": {"name": subject.name, "labels": {"app": subject.name}},
        "spec": {
            "selector": {"matchLabels": {"app": subject.name}},
            "endpoints": [{"targetPort": 8080, "path": "/metrics", "interval": "15s"}],
        },
    }


def _yaml(*documents: Mapping[str, Any]) -> str:
    """Return documents as YAML, with keys in order and long lines unbroken."""
    return yaml.safe_dump_all(documents, sort_keys=False, width=10_000, allow_unicode=True)
