"""The self-description of the service: as a page, as JSON, as a line of text."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NotRequired, TypedDict

from flask import render_template

from nachlass_service.base.settings import Settings
from nachlass_service.batches.formats import types_taken
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.manifest import Schema
from nachlass_service.bundle.strict_json import encode
from nachlass_service.metrics.drift import FALSE_ALARMS
from nachlass_service.metrics.drift_report import DriftReport
from nachlass_service.web.charts import MAX_CHARTS, charts_of
from nachlass_service.web.example import body_of, example_of
from nachlass_service.web.schema_text import fields_of, type_of

PLACEHOLDER = "SAMPLE AS JSON"
"""The body of the example request where samples must not be shown."""
MAX_LABELS = 20
MAX_FIELDS = 50


class InputDocument(TypedDict):
    """The description of a sample; the example is training data."""

    schema: Schema
    example: NotRequired[Any]


class NotebookDocument(TypedDict):
    """A notebook of the source."""

    name: str
    digest: str


class SourceDocument(TypedDict):
    """The origin of the model."""

    commit: str | None
    dirty: bool | None
    notebooks: list[NotebookDocument]


class ModelDocument(TypedDict):
    """The document at /model; docs/manifest.schema.json describes its parts."""

    name: str
    version: str
    contract: str
    prediction: Mapping[str, object]
    input: InputDocument
    batches: Sequence[str]
    samples: Mapping[str, object]
    python: str
    packages: Mapping[str, str]
    source: SourceDocument
    built_by: str
    created: str
    digest: str


def model_document(bundle: Bundle, settings: Settings) -> ModelDocument:
    """Return the public part of the manifest, with training data only if that may be shown."""
    manifest = bundle.manifest
    source = manifest.source
    input_document: InputDocument = {"schema": manifest.input.schema}
    if settings.show_samples:
        input_document["example"] = manifest.input.example
    return {
        "name": manifest.name,
        "version": manifest.version,
        "contract": manifest.contract,
        "prediction": asdict(manifest.prediction),
        "input": input_document,
        "batches": types_taken(),
        "samples": asdict(manifest.samples),
        "python": manifest.python,
        "packages": manifest.packages,
        "source": {
            "commit": source.commit,
            "dirty": source.dirty,
            "notebooks": [
                {"name": notebook.name, "digest": notebook.digest} for notebook in source.notebooks
            ],
        },
        "built_by": manifest.built_by,
        "created": manifest.created,
        "digest": manifest.digest,
    }


def index_text(bundle: Bundle) -> str:
    """Return one line for curl."""
    return f"{bundle.title}: make a prediction by POSTing one sample as JSON to /predict\n"


def index_page(
    bundle: Bundle,
    settings: Settings,
    base_url: str,
    drift: DriftReport,
    not_ready: str | None = None,
) -> str:
    """Return the page for people; `not_ready` is the reason why the service is not ready."""
    page = render_template(
        "page.html",
        bundle=bundle,
        manifest=bundle.manifest,
        settings=settings,
        not_ready=not_ready,
        drift=drift,
        **_contract(bundle, settings, base_url),
        **_distributions(drift),
        numbered=not settings.show_samples,
    )
    # JSON may hold half of a surrogate pair, UTF-8 may not.
    return page.encode("utf-8", "replace").decode("utf-8")


def _contract(bundle: Bundle, settings: Settings, base_url: str) -> dict[str, Any]:
    """Return what contract.html shows."""
    schema, example = bundle.manifest.input.schema, example_of(bundle, settings)
    is_recorded = example is not None and example.kind == "sample"
    return {
        "curl": _curl(bundle, settings, base_url),
        "body": "" if example is None else _shown(example.body),
        "placeholder": PLACEHOLDER,
        "example": None if example is None else _shown(example.sample),
        "example_note": None if example is None or is_recorded else example.summary,
        "answer": _answer(bundle) if is_recorded else None,
        "batches": types_taken(),
        "fields": fields_of(schema),
        "type": type_of(schema),
        "schema": _indented(schema),
        "max_labels": MAX_LABELS,
        "max_fields": MAX_FIELDS,
    }


def _distributions(drift: DriftReport) -> dict[str, Any]:
    """Return what drift.html shows: groups of charts, each with the number of further fields."""
    groups = (
        ("Predictions", "prediction", drift.predictions),
        ("Input features", "sample", drift.inputs),
    )
    has_traffic = drift.verdict in ("moved", "steady")
    return {
        "charts": [
            (
                title,
                description,
                charts_of(drifts, open_first=has_traffic and description == "prediction"),
                max(0, len(drifts) - MAX_CHARTS),
            )
            for title, description, drifts in groups
        ],
        "has_ks": any(one.ks is not None for one in (*drift.predictions, *drift.inputs)),
        "one_in": f"{1 / FALSE_ALARMS:,.0f}",
    }


def curl_line(bundle: Bundle, settings: Settings, base_url: str) -> str:
    """Return a curl command; it works unchanged where samples may be shown."""
    return " ".join(_curl(bundle, settings, base_url))


def _curl(bundle: Bundle, settings: Settings, base_url: str) -> list[str]:
    """Return the parts of a curl command, each option with its value."""
    example = example_of(bundle, settings)
    body = PLACEHOLDER if example is None else _line(example.body)
    address = shlex.quote(f"{base_url.rstrip('/')}/predict")
    header = "-H 'content-type: application/json'"
    return [f"curl -s {address}", header, f"-d {shlex.quote(body)}"]


def _answer(bundle: Bundle) -> str | None:
    """Return the proven prediction for the example, None without samples."""
    for sample, prediction in bundle.samples():
        is_list = body_of(bundle, sample) is not sample
        return _line([prediction] if is_list else prediction)
    return None


def _shown(value: Any) -> str:
    """Return a value as JSON to read: a list, as long as a picture's, is one line."""
    return _indented(value) if isinstance(value, dict) else _line(value)


def _line(value: Any) -> str:
    """Return a value as one line of JSON."""
    return encode(value).decode("utf-8")


def _indented(value: Any) -> str:
    """Return a value as JSON with one entry per line."""
    return json.dumps(value, indent=2, ensure_ascii=False)
