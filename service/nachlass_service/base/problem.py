"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

from http import HTTPStatus
from typing import NotRequired, TypedDict

from nachlass_service.base.errors import BadRowError, ServiceError

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:nachlass:problem:"


class Problem(TypedDict):
    """A problem document; that of a batch row has its number and possibly a JSON pointer."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    row: NotRequired[int]
    pointer: NotRequired[str]


def problem_of(error: ServiceError, request_id: str) -> Problem:
    """Return the problem document of an error, without the text of the model's exception."""
    is_raised = error.__cause__ is not None
    if error.code in ("raised", "bundle") or (error.code == "unserialisable" and is_raised):
        detail = "the service's log has the cause under this request id"
    elif error.code == "refused" and is_raised:
        raised = type(error.__cause__).__name__
        detail = f"the validator raised {raised}: only the service's log has its message"
    else:
        detail = str(error)
    return problem(error.status, error.title, detail, request_id, TYPE + error.code)


def problem_of_row(error: ServiceError, request_id: str, row: int) -> Problem:
    """Return the problem document of a batch row; rows are counted from 0."""
    found = problem_of(error, request_id)
    found["row"] = row
    if isinstance(error, BadRowError):
        found["pointer"] = error.pointer
    return found


def problem_of_defect(request_id: str) -> Problem:
    """Return the problem document of an unexpected exception in the service."""
    title, detail = "Internal error", "the service's log has the cause under this request id"
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, title, detail, request_id)


def problem(
    status: int, title: str, detail: str, request_id: str, kind: str = "about:blank"
) -> Problem:
    """Return a problem document."""
    return {
        "type": kind,
        "title": title,
        "status": status,
        "detail": detail,
        "request_id": request_id,
    }
