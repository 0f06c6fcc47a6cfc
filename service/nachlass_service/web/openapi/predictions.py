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
from nachlass_service.web.openapi.markdown import listed
from nachlass_service.web.openapi.typed import Json, reference

MAX_LABELS = 20
MAX_FIELDS = 50
OTHER = "other"
"""The field that the build adds for further ones."""
PLAIN = ["string", "number", "boolean", "null"]
NULL = "Null stands for NaN, an infinity or a missing value."
JSON_TYPES = {bool: "boolean", int: "integer", float: "number"}


def prediction_schema(prediction: Prediction) -> Json:
    """Return the schema of the prediction for one sample."""
    match prediction.kind:
        case "label" | "number":
            described = f"The prediction for one sample, a {prediction.kind}. {NULL}"
            shown = _field(prediction, "")
            if more := shown.get("description"):
                described += f" {more}"
            return {**shown, "description": described}
        case "object":
            return _object(prediction)
    return {"description": f"The prediction for one sample, of several types. {NULL}"}


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
        return {"type": ["number", "null"]}
    has_numbers = field in prediction.buckets
    types = PLAIN if has_numbers or not labels else _types_of_labels(labels)
    if not labels:
        return {"type": types}
    also = "numbers, and " if has_numbers else ""
    return {
        "type": types,
        "description": f"The samples of the build have {also}the labels "
        f"{listed(labels, MAX_LABELS)}; others are possible.",
    }


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


def _object(prediction: Prediction) -> Json:
    """Return the schema of lists and objects.

    A field's path is joined by dots (`scores.a`, `0`), which names may contain, too. So only
    fields on the first level get a schema.
    """
    paths = [path for path in prediction.fields if path]
    starts = {path.partition(".")[0] for path in paths}
    has_lists = any(start.isdigit() for start in starts)
    has_objects = not has_lists or any(not start.isdigit() for start in starts)
    found: Json = {
        "type": [*(["object"] * has_objects), *(["array"] * has_lists)],
        "description": "The prediction for one sample, with the fields "
        f"{listed(paths, MAX_FIELDS)}. {NULL}",
    }
    nested = {path.partition(".")[0] for path in paths if "." in path}
    plain = [path for path in paths if path not in nested and "." not in path and path != OTHER]
    if has_objects and not has_lists:
        found["properties"] = {path: _field(prediction, path) for path in plain}
    return found
