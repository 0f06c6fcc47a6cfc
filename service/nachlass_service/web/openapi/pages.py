"""Describes the routes beside `POST /predict`: health, metrics, the model and its pages."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from nachlass_service.base.settings import Settings
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.web.headers import REQUEST_ID
from nachlass_service.web.openapi.headers import REQUEST, parameter
from nachlass_service.web.openapi.problems import responses_of_page
from nachlass_service.web.openapi.typed import Json, reference

JSON, TEXT, HTML = "application/json", "text/plain", "text/html"
OPENMETRICS = "application/openmetrics-text"
STRING = {"type": "string"}
NONE: Mapping[int, str] = {}
NOT_READY: Mapping[int, str] = {HTTPStatus.SERVICE_UNAVAILABLE: "The service is not ready"}
NOT_FOUND: Mapping[int, str] = {HTTPStatus.NOT_FOUND: "There is no such notebook"}


def pages(bundle: Bundle, settings: Settings) -> Json:
    """Return the paths."""
    metrics = {TEXT: STRING, OPENMETRICS: STRING}
    paths: Json = {
        "/livez": _get("get_livez", "operations", "Whether the service runs", _flag("live")),
        "/readyz": _get(
            "get_readyz",
            "operations",
            "Whether every worker has loaded the model and scored a few samples",
            _flag("ready"),
            NOT_READY,
        ),
        "/metrics": {
            **_get("get_metrics", "operations", "Metrics for Prometheus", metrics),
            "post": _operation(
                "post_metrics",
                "operations",
                "The same, for clients of the original builder",
                metrics,
            ),
        },
        "/model": _get(
            "get_model",
            "model",
            "The model: version, commit, digest, input schema, predictions, packages",
            {JSON: reference("Model")},
        ),
        "/drift": _get(
            "get_drift",
            "model",
            "Live predictions and input compared with the samples of the build",
            {JSON: reference("Drift")},
        ),
        "/openapi.json": _get("get_openapi", "model", "This document", {JSON: {"type": "object"}}),
        "/": _get(
            "get_index",
            "model",
            "A page about the model for browsers, JSON as at `/model`, or one line of text",
            {TEXT: STRING, HTML: STRING, JSON: reference("Model")},
        ),
    }
    if settings.show_samples:
        paths["/notebook/{number}"] = _notebook(bundle)
    return paths


def _notebook(bundle: Bundle) -> Json:
    """Return the path of the executed notebooks."""
    number = {
        "name": "number",
        "in": "path",
        "required": True,
        "description": "The place of the notebook in the order of execution, from 1.",
        "schema": {"type": "integer", "minimum": 1, "maximum": len(bundle.notebooks)},
    }
    path = _get("get_notebook", "model", "An executed notebook", {HTML: STRING}, NOT_FOUND)
    return {"parameters": [number], **path}


def _flag(name: str) -> Json:
    """Return the content of an object with one field that is true."""
    flag = {"type": "object", "properties": {name: {"const": True}}, "required": [name]}
    return {JSON: flag}


def _get(
    name: str, tag: str, summary: str, content: Json, errors: Mapping[int, str] = NONE
) -> Json:
    """Return a path with the method GET."""
    return {"get": _operation(name, tag, summary, content, errors)}


def _operation(
    name: str, tag: str, summary: str, content: Json, errors: Mapping[int, str] = NONE
) -> Json:
    """Return an operation; `content` has the schemas of its response by media type.

    `errors` has the meaning of its own errors by status.
    """
    answer = {
        "description": summary,
        "headers": REQUEST,
        "content": {media_type: {"schema": schema} for media_type, schema in content.items()},
    }
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "parameters": [parameter(REQUEST_ID)],
        "responses": {"200": answer, **responses_of_page(errors)},
    }
