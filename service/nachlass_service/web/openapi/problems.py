"""Describes errors: the problem document, and the responses that contain it, by status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus

from nachlass_service.base.errors import (
    REQUEST_ERRORS,
    OverloadedError,
    ServiceError,
    SlowBodyError,
    TooLargeError,
)
from nachlass_service.base.problem import MEDIA_TYPE, TYPE, Problem
from nachlass_service.web.openapi.headers import MODEL, REQUEST, RETRY
from nachlass_service.web.openapi.typed import Json, reference, schemas_of

BLANK = "about:blank"
"""The type of the errors that only a status describes."""
UNTYPED: Mapping[int, str] = {
    HTTPStatus.BAD_REQUEST: "The request is not valid HTTP",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The headers are too large",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The service has a defect: its log has the cause",
    HTTPStatus.SERVICE_UNAVAILABLE: "The service has too many connections",
}
"""The meaning of those that any request may get, by status."""
BODY_ERRORS = (SlowBodyError, TooLargeError, OverloadedError)
"""The errors for a request with a body that nothing reads."""


def problem_schema() -> Json:
    """Return the schema of a problem document, with the values of `type`."""
    schema: Json = schemas_of(Problem)["Problem"]
    types = {error.code: error.title for error in REQUEST_ERRORS}
    lines = [f"- `{TYPE}{code}`: {title}" for code, title in types.items()]
    schema["properties"]["type"] = {
        "type": "string",
        "format": "uri",
        "description": "\n".join(
            ["The kind of error:", "", *lines, f"- `{BLANK}`: the status describes it"]
        ),
        "examples": [TYPE + code for code in types],
    }
    return schema


def responses_of(
    errors: Iterable[type[ServiceError]], more: Mapping[int, str] | None = None
) -> Json:
    """Return the responses for errors by status, including those that any request may get.

    `more` has the meaning of further errors that only a status describes.
    """
    meanings: dict[int, list[str]] = {}
    for error in errors:
        meanings.setdefault(error.status, []).append(f"`{TYPE}{error.code}`: {error.title}")
    for status, meaning in (*UNTYPED.items(), *(more or {}).items()):
        meanings.setdefault(status, []).append(f"`{BLANK}`: {meaning}")
    return {str(status): _response(status, meanings[status]) for status in sorted(meanings)}


def common_responses() -> Json:
    """Return the responses for errors that any page may answer, by the names of references."""
    found = responses_of(BODY_ERRORS)
    return {f"Error{status}": response for status, response in found.items()}


def responses_of_page(more: Mapping[int, str]) -> Json:
    """Return the responses for errors of a page; `more` is as for `responses_of`."""
    found = responses_of(BODY_ERRORS, more)
    common = {status: {"$ref": f"#/components/responses/Error{status}"} for status in found}
    return {status: found[status] if int(status) in more else common[status] for status in found}


def _response(status: int, meanings: list[str]) -> Json:
    """Return the response with a status: a problem document of one of several types."""
    is_busy = status == HTTPStatus.SERVICE_UNAVAILABLE
    return {
        "description": "\n".join(f"- {meaning}" for meaning in meanings),
        "headers": {**REQUEST, **(RETRY if is_busy else {})},
        "content": {MEDIA_TYPE: {"schema": reference("Problem")}},
    }


def with_digest(responses: Json) -> Json:
    """Return responses that also have the digest of the model."""
    return {
        status: {**response, "headers": {**response["headers"], **MODEL}}
        for status, response in responses.items()
    }
