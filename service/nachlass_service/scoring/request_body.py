"""Reads the bodies of prediction requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from nachlass_service.base.errors import InterruptedCallError, MediaTypeError, NotJsonError
from nachlass_service.scoring.bounded_json import loads_bounded
from nachlass_service.scoring.form import fields_of

FORM = "application/x-www-form-urlencoded"
FIELD = "json_args"
"""The field of a form that holds the JSON; clients of the original s2i builder send it."""

SEND_JSON = "send one sample as JSON, with `content-type: application/json`"


class PredictRequest(NamedTuple):
    """A prediction request: two of its headers, empty when absent, and its body."""

    content_type: str
    content_encoding: str
    body: bytes


class Requests:
    """Prediction requests as rows; an exception from reading one becomes its outcome."""

    def __init__(self, requests: Sequence[PredictRequest]) -> None:
        self._requests = requests

    def __len__(self) -> int:
        return len(self._requests)

    def samples(self) -> list[Any]:
        """Return the samples in the bodies, or exceptions in their place."""
        return [self._sample(request) for request in self._requests]

    def _sample(self, request: PredictRequest) -> Any:
        try:
            return read_body(*request)
        except InterruptedCallError:
            raise
        except BaseException as error:  # noqa: BLE001 - it is the outcome of this request only
            return error


def read_body(content_type: str, content_encoding: str, body: bytes) -> Any:
    """Return the JSON value of a request, from the body or from the form's FIELD.

    The first two arguments are headers, empty when absent. Raises NotJsonError,
    TooLargeError or MediaTypeError. Nothing is ever unpickled.
    """
    reject_encoded(content_encoding)
    media_type = media_type_of(content_type)
    if media_type == FORM:
        return loads_bounded(_json_args(body))
    if media_type in ("", "application/json") or media_type.endswith("+json"):
        if not body.strip():
            raise NotJsonError(f"the body is empty: {SEND_JSON}")
        return loads_bounded(body)
    raise MediaTypeError(f"the media type {media_type[:80]} is not supported: {SEND_JSON}")


def media_type_of(content_type: str) -> str:
    """Return a content type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def reject_encoded(content_encoding: str) -> None:
    """Raise MediaTypeError for a compressed body, which could have any size."""
    if content_encoding.strip().lower() not in ("", "identity"):
        raise MediaTypeError(
            f"the content encoding {content_encoding[:40]} is not supported: "
            "send the body uncompressed"
        )


def _json_args(body: bytes) -> str:
    """Return the FIELD of a form."""
    try:
        fields = fields_of(body)
    except ValueError as error:
        raise NotJsonError(f"the form cannot be read: {error}") from None
    if FIELD in fields:
        return fields[FIELD]
    if "args" in fields:
        raise MediaTypeError(f"`args` holds a pickle, which is never read: {SEND_JSON}")
    raise MediaTypeError(
        f"the body is sent as a form, but has no field `{FIELD}`: {SEND_JSON} "
        "(curl needs -H 'content-type: application/json')"
    )
