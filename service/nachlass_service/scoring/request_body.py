"""Prediction requests: which bytes are taken as their bodies, and as what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from nachlass_service.base.errors import InterruptedCallError, MediaTypeError, NotJsonError
from nachlass_service.scoring.bounded_json import loads_bounded
from nachlass_service.scoring.form import fields_of

FORM = "application/x-www-form-urlencoded"

SEND_JSON = "send one sample as JSON, with `content-type: application/json`"


class PredictRequest(NamedTuple):
    """A request for a prediction: two of its headers, empty when absent, and its body."""

    content_type: str
    content_encoding: str
    body: bytes


class Requests:
    """Requests for a prediction as rows; whatever is raised by reading one is its error."""

    def __init__(self, requests: Sequence[PredictRequest]) -> None:
        self._requests = requests

    def __len__(self) -> int:
        return len(self._requests)

    def samples(self) -> list[Any]:
        """What the bodies hold."""
        return [self._sample(request) for request in self._requests]

    def _sample(self, request: PredictRequest) -> Any:
        try:
            return read_body(*request)
        except InterruptedCallError:
            raise
        except BaseException as error:  # noqa: BLE001 - it is the outcome of this request alone
            return error


def read_body(content_type: str, content_encoding: str, body: bytes) -> Any:
    """The JSON value that a client sent, as the body or in the form field `json_args`.

    The arguments are HTTP's headers, empty when absent. Raises NotJsonError,
    TooLargeError or MediaTypeError. Nothing is ever unpickled.
    """
    refuse_encoded(content_encoding)
    media_type = media_type_of(content_type)
    if media_type == FORM:
        return loads_bounded(_json_args(body))
    if media_type in ("", "application/json") or media_type.endswith("+json"):
        if not body.strip():
            raise NotJsonError(f"the body is empty: {SEND_JSON}")
        return loads_bounded(body)
    raise MediaTypeError(f"a body of type {media_type[:80]} is not read: {SEND_JSON}")


def media_type_of(content_type: str) -> str:
    """A content type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def refuse_encoded(content_encoding: str) -> None:
    """Raise MediaTypeError for a body that is compressed: it could become any size."""
    if content_encoding.strip().lower() not in ("", "identity"):
        raise MediaTypeError(f"the body is encoded as {content_encoding[:40]}: send it as it is")


def _json_args(body: bytes) -> str:
    """The field `json_args` of a form, as clients of the original send it."""
    try:
        fields = fields_of(body)
    except ValueError as error:
        raise NotJsonError(f"the form cannot be read: {error}") from None
    if "json_args" in fields:
        return fields["json_args"]
    if "args" in fields:
        raise MediaTypeError(f"`args` holds a pickle, which is never read: {SEND_JSON}")
    raise MediaTypeError(
        f"the body is sent as a form, but has no field `json_args`: {SEND_JSON} "
        "(curl needs -H 'content-type: application/json')"
    )
