"""Describes `POST /predict`: one sample as JSON or as a form, or a batch of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nachlass_service.base.errors import REQUEST_ERRORS
from nachlass_service.base.settings import Settings
from nachlass_service.batches.formats import FORMATS, JSON_LINES, types_taken, types_written
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.strict_json import encode
from nachlass_service.scoring.request_body import FIELD, FORM
from nachlass_service.web.example import example_of
from nachlass_service.web.headers import REQUEST_ID
from nachlass_service.web.openapi.headers import CONTENT_ENCODING, REQUEST, parameter
from nachlass_service.web.openapi.predictions import response_schema
from nachlass_service.web.openapi.problems import responses_of, with_digest
from nachlass_service.web.openapi.samples import request_examples, request_schema
from nachlass_service.web.openapi.typed import Json, reference

JSON = "application/json"
ONE = "Send one sample as JSON; the response is its prediction."
SEVERAL = "Send a list of samples as JSON; the response is the list of their predictions."
BATCH = """\
To score many samples in one request, send a batch with one sample a row, as {types}. The response
has the format of the request, unless `Accept` names another one. Each of its rows has a
`prediction` or an `error`: one bad row does not fail the batch.

Batches are streamed. The status is 200 as soon as one row has an answer; if the batch breaks off
later, its last row is the error, and the rows from there on are not scored. The response begins
before the request ends: a client that sends more than a few megabytes must read while it writes.

Limits: {body} bytes for a body, or for a row of a batch; {rows} rows and {batch:g} s for a
batch; {one:g} s for a prediction."""
NO_EXAMPLE = "There is no example: no sample may be shown, and the build has made none up."


def predict(bundle: Bundle, settings: Settings) -> Json:
    """Return the operation."""
    return {
        "operationId": "predict",
        "tags": ["predictions"],
        "summary": "Predict one sample, or a batch of rows",
        "description": _description(bundle, settings),
        "parameters": [parameter(REQUEST_ID), parameter(CONTENT_ENCODING)],
        "requestBody": {"required": True, "content": _requests(bundle, settings)},
        "responses": with_digest(
            {"200": _predictions(bundle), **responses_of(REQUEST_ERRORS)},
        ),
    }


def row_schema() -> Json:
    """Return the schema of the answer to a row of a batch."""
    return {
        "description": "The answer to one row of a batch.",
        "anyOf": [
            {
                "type": "object",
                "properties": {name: reference(kind)},
                "required": [name],
            }
            for name, kind in (("prediction", "Prediction"), ("error", "Problem"))
        ],
    }


def _description(bundle: Bundle, settings: Settings) -> str:
    batch = BATCH.format(
        types=", ".join(f"`{name}`" for name in types_taken()),
        body=f"{settings.max_body_bytes:,}",
        rows=f"{settings.max_batch_rows:,}",
        batch=settings.max_batch_s,
        one=settings.predict_timeout_s,
    )
    example = [] if example_of(bundle, settings) else [NO_EXAMPLE]
    return "\n\n".join([SEVERAL if bundle.is_pipeline else ONE, *example, batch])


def _requests(bundle: Bundle, settings: Settings) -> Json:
    """Return the requests by media type."""
    schema, shown = request_schema(bundle), request_examples(bundle, settings)
    field = {"type": "string", "contentMediaType": JSON, "contentSchema": schema}
    form = {
        "type": "object",
        "description": "The same JSON in a form, as clients of the original s2i builder send it.",
        "properties": {FIELD: field},
        "required": [FIELD],
    }
    in_form = {name: {**one, "value": {FIELD: _line(one["value"])}} for name, one in shown.items()}
    return {
        JSON: _with_examples(schema, shown),
        FORM: _with_examples(form, in_form),
        **{name: _batch_request(name, bundle, settings) for name in types_taken()},
    }


def _batch_request(name: str, bundle: Bundle, settings: Settings) -> Json:
    """Return the request that is a batch of a media type."""
    lines: Json = {}
    example = example_of(bundle, settings)
    if example and name in JSON_LINES:
        value = f"{_line(example.sample)}\n"
        lines = {example.kind: {"summary": example.summary, "value": value}}
    return _with_examples(_rows(FORMATS[name].request, name), lines)


def _predictions(bundle: Bundle) -> Json:
    """Return the response with predictions."""
    alone = response_schema(bundle)
    batch = {
        "type": "array",
        "description": f"The response to a batch. {FORMATS[JSON].response}",
        "items": reference("RowAnswer"),
    }
    content: Json = {JSON: {"schema": {"anyOf": [alone, batch]}}}
    for name in types_written():
        content.setdefault(name, {"schema": _rows(FORMATS[name].response, name)})
    return {
        "description": "The prediction, or those for the rows of a batch.",
        "headers": REQUEST,
        "content": content,
    }


def _rows(described: str, media_type: str) -> Json:
    """Return the schema of a batch, which is text or binary for a schema."""
    if FORMATS[media_type].needs_pyarrow:
        return {"type": "string", "format": "binary", "description": described}
    return {"type": "string", "contentMediaType": media_type, "description": described}


def _with_examples(schema: Json, shown: Mapping[str, Any]) -> Json:
    """Return a media type of a body."""
    return {"schema": schema, **({"examples": {**shown}} if shown else {})}


def _line(value: Any) -> str:
    """Return a value as one line of JSON."""
    return encode(value).decode("utf-8")
