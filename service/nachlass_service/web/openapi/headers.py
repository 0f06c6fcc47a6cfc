"""Describes the headers of requests and responses, once for the document."""

from __future__ import annotations

from nachlass_service.web.headers import MODEL_DIGEST, REQUEST_ID, REQUEST_ID_FORM, RETRY_AFTER
from nachlass_service.web.openapi.typed import Json

CONTENT_ENCODING = "Content-Encoding"
TEXT = {"type": "string"}
HEADERS: Json = {
    REQUEST_ID: {
        "description": "The ID of the request in the log: the caller's, or a new one.",
        "schema": TEXT,
    },
    MODEL_DIGEST: {"description": "The digest of the served bundle.", "schema": TEXT},
    RETRY_AFTER: {
        "description": "Seconds after which to try again.",
        "schema": {"type": "integer", "minimum": 1},
    },
}
PARAMETERS: Json = {
    REQUEST_ID: {
        "name": REQUEST_ID,
        "in": "header",
        "description": "An ID for the request in the log. One that does not match "
        f"`{REQUEST_ID_FORM.pattern}` is replaced.",
        "schema": TEXT,
    },
    CONTENT_ENCODING: {
        "name": CONTENT_ENCODING,
        "in": "header",
        "description": "Only `identity`: compressed bodies are rejected.",
        "schema": {"type": "string", "enum": ["identity", ""]},
    },
}


def _used(name: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"}}


REQUEST, MODEL, RETRY = map(_used, (REQUEST_ID, MODEL_DIGEST, RETRY_AFTER))
"""References to the headers of responses, each by its name."""


def parameter(name: str) -> Json:
    """Return a reference to a header of requests."""
    return {"$ref": f"#/components/parameters/{name}"}
