"""Describes predictions and inputs, based on the proven samples."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from genson import SchemaBuilder

from nachlass_builder.bundle.manifest import Prediction, Schema
from nachlass_builder.foundation.errors import Place, SourceError

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
HUGE = 1e300
"""Larger numbers overflow when quantiles are computed."""
MAX_FIELDS = 50
OTHER = "other"
MAX_LABELS = 100
MAX_INTEGER_LABELS = 20
BUCKETS = 20
LADDER = tuple(
    map(
        float,
        "-1e6 -1e5 -1e4 -1000 -100 -10 -1 0 0.1 0.25 0.5 0.75 0.9 1 "
        "2.5 5 10 25 50 100 250 500 1000 1e4 1e5 1e6".split(),
    )
)
"""Upper bounds of buckets if there are no samples to compute quantiles from."""


def read_samples(path: Path) -> list[tuple[Any, Any]]:
    """Read the samples with their predictions as JSON values; none if the file is missing."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    try:
        entries = [json.loads(line) for line in lines if line]
        return [(entry["sample"], entry["prediction"]) for entry in entries]
    except (ValueError, TypeError, KeyError) as error:
        raise SourceError(
            f"the samples cannot be read: {error}",
            place=Place(str(path)),
            remedy="build the source again",
        ) from None


def describe_input(samples: Sequence[Any]) -> Schema:
    """Return a JSON Schema that all samples match."""
    if not samples:
        return True
    builder = SchemaBuilder(schema_uri=SCHEMA_DIALECT)
    for sample in samples:
        builder.add_object(sample)
    schema: dict[str, Any] = builder.to_schema()
    lengths = {len(sample) for sample in samples if isinstance(sample, list)}
    if len(lengths) == 1 and schema.get("type") == "array":
        schema["minItems"] = schema["maxItems"] = lengths.pop()
    return schema


def describe_predictions(predictions: Sequence[Any], forced: str | None) -> Prediction:
    """Describe the predictions: their kind, their fields, and each field's labels or buckets.

    A plain prediction has one field, named ""; fields of lists and objects are
    named by their path (`0`, `scores.a`). The ladder has the buckets of fields
    that appear in no sample.
    """
    values: dict[str, list[Any]] = {}
    for prediction in predictions:
        for field, value in _fields(prediction):
            name = field if field in values or len(values) < MAX_FIELDS else OTHER
            values.setdefault(name, []).append(value)
    kinds = {field: _kind(found) for field, found in values.items()}
    kind = forced or _kind_of_all(predictions, kinds)
    if kind in ("label", "number"):
        kinds = dict.fromkeys(kinds or [""], kind)
    elif not kinds:
        kinds = {"": "mixed"}
    return Prediction(
        kind=kind,
        fields=tuple(kinds),
        labels={
            field: tuple(_labels(values.get(field, []), floats=of_field == "label"))
            for field, of_field in kinds.items()
            if of_field != "number"
        },
        buckets={
            field: tuple(_buckets(values.get(field, [])))
            for field, of_field in kinds.items()
            if of_field != "label"
        },
        ladder=LADDER,
    )


def _fields(prediction: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the plain values in a prediction, each with its path."""
    items: Iterator[tuple[Any, Any]]
    match prediction:
        case dict():
            items = iter(prediction.items())
        case list():
            items = iter(enumerate(prediction))
        case _:
            yield path, prediction
            return
    for key, value in items:
        yield from _fields(value, f"{path}.{key}" if path else str(key))


def _kind_of_all(predictions: Sequence[Any], kinds: dict[str, str]) -> str:
    """Return `object` if all predictions are lists or objects, else the single field's kind."""
    structured = {isinstance(prediction, list | dict) for prediction in predictions}
    if structured == {True}:
        return "object"
    return kinds.get("", "mixed") if structured == {False} else "mixed"


def _kind(values: Sequence[Any]) -> str:
    """Return `label`, `number` or `mixed`; few distinct integers are labels; ignore nulls."""
    kinds = set()
    present = [value for value in values if value is not None]
    for value in present:
        match value:
            case bool() | str():
                kinds.add("label")
            case float():
                kinds.add("number")
            case _:
                kinds.add("integer")
    if kinds == {"integer"}:
        return "label" if len(set(present)) <= MAX_INTEGER_LABELS else "number"
    if kinds == {"number", "integer"}:
        return "number"
    return kinds.pop() if len(kinds) == 1 else "mixed"


def _labels(values: Sequence[Any], *, floats: bool) -> list[str]:
    """Return the distinct values as metric labels: text unchanged, the rest as JSON."""
    kinds = str | bool | int | (float if floats else int)
    plain = (value for value in values if isinstance(value, kinds))
    texts = {value if isinstance(value, str) else json.dumps(value) for value in plain}
    return sorted(texts)[:MAX_LABELS]


def _buckets(values: Sequence[Any]) -> list[float]:
    """Return upper bounds of a histogram: quantiles of the values, or a fixed ladder."""
    numbers = [
        float(value)
        for value in values
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < HUGE
    ]
    if len(set(numbers)) < 2:  # noqa: PLR2004 - one value has no quantiles
        return [*LADDER]
    cuts = statistics.quantiles(numbers, n=BUCKETS, method="inclusive")
    return sorted({min(numbers), *cuts, max(numbers)})
