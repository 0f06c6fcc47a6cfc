"""What the service says of itself: a page, a document, a line."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NotRequired, TypedDict

from flask import render_template

from nachlass_service.base.settings import Settings
from nachlass_service.batches.formats import types_taken
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.manifest import Schema
from nachlass_service.bundle.strict_json import encode
from nachlass_service.metrics.drift import Drift
from nachlass_service.metrics.drift_report import DriftReport

PLACEHOLDER = "SAMPLE AS JSON"
"""What stands in the place of a sample where none may be shown."""
MOST_LABELS = 20
MOST_CHARTS = 6
NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]?\d+)?")


class InputDocument(TypedDict):
    """What a sample is; the example is training data."""

    schema: Schema
    example: NotRequired[Any]


class NotebookDocument(TypedDict):
    """A notebook of the source."""

    name: str
    digest: str


class SourceDocument(TypedDict):
    """Where the model comes from."""

    commit: str | None
    dirty: bool | None
    notebooks: list[NotebookDocument]


class ModelDocument(TypedDict):
    """The document at /model; see docs/manifest.schema.json for what the parts are."""

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


@dataclass(frozen=True)
class Row:
    """A value in a chart: its shares, and the lengths of their bars in %."""

    value: str
    live: float
    baseline: float
    live_bar: float
    baseline_bar: float


@dataclass(frozen=True)
class Chart:
    """The values of a field that are shown, and how many are not."""

    drift: Drift
    rows: Sequence[Row]
    more: int


def model_document(bundle: Bundle, settings: Settings) -> ModelDocument:
    """The manifest's public part: nothing in it is training data, unless that may be shown."""
    manifest = bundle.manifest
    source = manifest.source
    taken: InputDocument = {"schema": manifest.input.schema}
    if settings.show_samples:
        taken["example"] = manifest.input.example
    return {
        "name": manifest.name,
        "version": manifest.version,
        "contract": manifest.contract,
        "prediction": asdict(manifest.prediction),
        "input": taken,
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
    """One line for those who ask with curl."""
    return f"{bundle.title}: make a prediction by POSTing one sample as JSON to /predict\n"


def index_page(bundle: Bundle, settings: Settings, base_url: str, drift: DriftReport) -> str:
    """The page for people."""
    manifest = bundle.manifest
    example, has_example = manifest.input.example, _has_example(bundle, settings)
    page = render_template(
        "page.html",
        bundle=bundle,
        manifest=manifest,
        settings=settings,
        curl=curl_line(bundle, settings, base_url),
        placeholder=PLACEHOLDER,
        has_example=has_example,
        # A list as long as a picture's is better read as one line.
        example=_indented(example) if isinstance(example, dict) else _line(example),
        answer=_answer(bundle) if has_example else None,
        batches=types_taken(),
        schema=_indented(manifest.input.schema),
        most_labels=MOST_LABELS,
        drift=drift,
        numbered=bool(drift.inputs) and not settings.show_samples,
        charts={
            "": [_chart(field) for field in drift.predictions[:MOST_CHARTS]],
            "Input": [_chart(field) for field in drift.inputs[:MOST_CHARTS]],
        },
    )
    # JSON may hold half of a surrogate pair, UTF-8 may not.
    return page.encode("utf-8", "replace").decode("utf-8")


def _chart(drift: Drift) -> Chart:
    """The chart of a field: the most frequent values, if there are many."""
    shares = drift.shares
    more = 0
    if drift.ks is None and len(shares) > MOST_LABELS:
        shares = sorted(shares, key=lambda row: -max(row[1:]))[:MOST_LABELS]
        more = len(drift.shares) - MOST_LABELS
    longest = max((share for _value, *both in shares for share in both), default=0) or 1
    rows = [
        Row(
            value=NUMBER.sub(lambda found: f"{float(found[0]):.4g}", value),
            live=live,
            baseline=baseline,
            live_bar=round(100 * live / longest, 2),
            baseline_bar=round(100 * baseline / longest, 2),
        )
        for value, live, baseline in shares
    ]
    return Chart(drift, rows, more)


def curl_line(bundle: Bundle, settings: Settings, base_url: str) -> str:
    """A command that asks for a prediction; it works as it is where samples may be shown."""
    body = PLACEHOLDER
    if _has_example(bundle, settings):
        example = bundle.manifest.input.example
        body = _line([example] if _is_sent_in_list(bundle, example) else example)
    header = "-H 'content-type: application/json'"
    return f"curl -s {base_url.rstrip('/')}/predict {header} -d {shlex.quote(body)}"


def _has_example(bundle: Bundle, settings: Settings) -> bool:
    """Whether there is an example of a sample that may be shown."""
    return bool(settings.show_samples and bundle.manifest.samples.are_there)


def _answer(bundle: Bundle) -> str | None:
    """The proven answer to the example; None where there is none."""
    for sample, prediction in bundle.samples():
        return _line([prediction] if _is_sent_in_list(bundle, sample) else prediction)
    return None


def _is_sent_in_list(bundle: Bundle, sample: Any) -> bool:
    """Whether a sample is sent as a list of one: a pipeline takes any list as one of samples."""
    return bundle.is_pipeline and isinstance(sample, list)


def _line(value: Any) -> str:
    """A value as one line of JSON."""
    return encode(value).decode("utf-8")


def _indented(value: Any) -> str:
    """A value as JSON with an entry a line."""
    return json.dumps(value, indent=2, ensure_ascii=False)
