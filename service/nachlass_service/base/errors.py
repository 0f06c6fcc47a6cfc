"""The errors of loading and predicting, each with its HTTP status."""

from __future__ import annotations

from typing import ClassVar


class InterruptedCallError(BaseException):
    """Raised by a signal in a predictor call that has exceeded its timeout.

    Code that catches exceptions of the user's code has to re-raise it:
    scoring/interrupter.py ends the call with it.
    """


class ServiceError(Exception):
    """A failure with a stable code; its text is one sentence for the caller.

    `status` and `title` are those of the HTTP response.
    """

    code: ClassVar[str] = "failed"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "The service failed"


class BundleError(ServiceError):
    """The bundle cannot be read, or its model cannot be loaded."""

    code = "bundle"


class SettingError(ServiceError):
    """A variable or flag of the service has an invalid value."""

    code = "setting"


class NotJsonError(ServiceError):
    """A text is not strict JSON."""

    code = "not_json"
    status = 400
    title = "The body is not JSON"


class MalformedError(ServiceError):
    """A body of rows cannot be read, or cannot be read to its end."""

    code = "malformed"
    status = 400
    title = "The body cannot be read"


class BadRowError(ServiceError):
    """A row of a batch cannot be read; `pointer` is a JSON pointer to the bad part of it."""

    code = "bad_row"
    status = 400
    title = "The row cannot be read"

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


class NotAcceptableError(ServiceError):
    """The service has no format that the client accepts."""

    code = "not_acceptable"
    status = 406
    title = "No accepted format is available"


class SlowBodyError(ServiceError):
    """The client stopped sending in the middle of its body."""

    code = "slow_body"
    status = 408
    title = "The body is incomplete"


class TooLargeError(ServiceError):
    """The body, or a row of it, exceeds a limit."""

    code = "too_large"
    status = 413
    title = "The body is too large"


class MediaTypeError(ServiceError):
    """The body has an unsupported media type."""

    code = "media_type"
    status = 415
    title = "The media type of the body is not supported"


class RefusedError(ServiceError):
    """The validator rejected the sample."""

    code = "refused"
    status = 422
    title = "The sample was rejected"


class SampleSchemaError(ServiceError):
    """The sample does not match the schema of the build's samples; the text says where.

    The cause is the exception of the validator or predictor that led to the comparison, if any.
    """

    code = "schema"
    status = 422
    title = "The sample does not match the schema"


class PredictorError(ServiceError):
    """The predictor raised; the cause is its exception."""

    code = "raised"
    title = "The predictor failed"


class UnserialisableError(ServiceError):
    """A value has no JSON form."""

    code = "unserialisable"
    title = "The prediction has no JSON form"


class OverloadedError(ServiceError):
    """The service has more requests than it can answer in time."""

    code = "overloaded"
    status = 503
    title = "The service is overloaded"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TimeLimitError(ServiceError):
    """The predictor exceeded its timeout."""

    code = "time_limit"
    status = 504
    title = "The prediction timed out"


REJECTED = (
    NotJsonError,
    MalformedError,
    BadRowError,
    NotAcceptableError,
    SlowBodyError,
    TooLargeError,
    MediaTypeError,
    RefusedError,
    SampleSchemaError,
    OverloadedError,
)
"""Errors that are the client's, or due to load: counted by code, apart from failures."""

REQUEST_ERRORS = (*REJECTED, PredictorError, UnserialisableError, TimeLimitError)
"""All errors that a request may get; the others end a start."""
