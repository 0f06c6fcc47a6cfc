"""Describes predictions, as far as the manifest knows them.

The types are those of the samples' predictions. Labels are never an `enum`: a model may predict
labels that no sample has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nachlass_service.base.errors import NotJsonError
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.manifest import Prediction
from nachlass_service.bundle.schema import types_of
from nachlass_service.bundle.strict_json import loads
from nachlass_service.metrics.predictions import OTHER
from nachlass_service.web.openapi.markdown import listed
from nachlass_service.web.openapi.typed import Json, of_types, reference

MAX_LABELS = 20
MAX_FIELDS = 50
PLAIN = ("string", "number", "boolean", "null")
NULL = "Null stands for NaN, infinity or a missing value."
JSON_TYPES = {bool: "boolean", int: "integer", float: "number"}


def prediction_schema(prediction: Prediction) -> Json:
    """Return the schema of the prediction for one sample."""
    one = "The prediction for one sample"
    if prediction.kind in ("label", "number"):
        found = _field(prediction, "")
        described = f"{one}, a {prediction.kind}. {NULL} {found.get('description', '')}"
        return {**found, "description": described.strip()}
    paths = [path for path in prediction.fields if path]
    fields = f" Its fields are {listed(paths, MAX_FIELDS)}; others are possible." if paths else ""
    described = f"{one}. {NULL}{fields}"
    if prediction.kind == "object":
        return {"description": described, **_object(prediction, paths)}
    return {"description": described}


def response_schema(bundle: Bundle) -> Json:
    """Return the schema of the response to JSON: a prediction, or for a pipeline also a list."""
    if not bundle.is_pipeline:
        return reference("Prediction")
    several = {"type": "array", "items": reference("Prediction")}
    is_always_list = "array" in types_of(bundle.manifest.input.schema)
    return several if is_always_list else {"anyOf": [reference("Prediction"), several]}


def _field(prediction: Prediction, field: str) -> Json:
    """Return the schema of a plain field."""
    labels = prediction.labels.get(field)
    if labels is None:
        return of_types("number", "null")
    has_numbers = field in prediction.buckets
    types = PLAIN if has_numbers or not labels else _types_of_labels(labels)
    if not labels:
        return of_types(*types)
    known = f"the labels {listed(labels, MAX_LABELS)}{', and numbers' if has_numbers else ''}"
    described = f"The samples of the build have {known}; others are possible."
    return {"description": described, **of_types(*types)}


def _types_of_labels(labels: Sequence[str]) -> list[str]:
    """Return the types that labels may have: `1` is a text or an integer."""
    found = {JSON_TYPES.get(type(_value(label)), "string") for label in labels}
    return ["string", *sorted(found - {"string"}), "null"]


def _value(label: str) -> Any:
    """Return the value of a label that is JSON, else the label."""
    try:
        return loads(label)
    except NotJsonError:
        return label


def _object(prediction: Prediction, paths: Sequence[str]) -> Json:
    """Return the schema of predictions that are objects or lists.

    A path is joined by dots (`scores.a`, `0`), but names may contain dots and digits, too. So
    only fields that are surely those of the object have a schema.
    """
    starts = [path.partition(".")[0] for path in paths]
    if not paths or any(start.isdecimal() for start in starts):
        return of_types("object", "array")
    nested = {start for start, path in zip(starts, paths, strict=True) if start != path}
    plain = [path for path in paths if path not in nested and "." not in path and path != OTHER]
    return {
        **of_types("object"),
        "properties": {path: _field(prediction, path) for path in plain},
    }
