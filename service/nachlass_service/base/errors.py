"""Every way loading or predicting can fail, and the HTTP status of each."""

from __future__ import annotations

from typing import ClassVar


class InterruptedCallError(BaseException):
    """Raised by a signal in a call of the predictor that has passed the time limit.

    Whatever catches what the user's code raises has to let it pass: scoring/interrupter.py
    ends the call with it.
    """


class ServiceError(Exception):
    """A failure with a stable code, for whoever asked; its text is one sentence.

    `status` and `title` are how HTTP tells it.
    """

    code: ClassVar[str] = "failed"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "The service failed"


class BundleError(ServiceError):
    """The bundle cannot be read, or its model cannot be loaded."""

    code = "bundle"


class SettingError(ServiceError):
    """A variable or flag of the service has a value that it cannot have."""

    code = "setting"


class NotJsonError(ServiceError):
    """A text is not strict JSON."""

    code = "not_json"
    status = 400
    title = "The body is not JSON"


class MalformedError(ServiceError):
    """A body of rows cannot be read, or not any further."""

    code = "malformed"
    status = 400
    title = "The body cannot be read"


class BadRowError(ServiceError):
    """A row of a batch is none that can be read; `pointer` is where in it, a JSON pointer."""

    code = "bad_row"
    status = 400
    title = "The row cannot be read"

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


class NotAcceptableError(ServiceError):
    """There is no form of the answer that the client takes."""

    code = "not_acceptable"
    status = 406
    title = "The answer has no form that is accepted"


class SlowBodyError(ServiceError):
    """The client stopped sending in the middle of its body."""

    code = "slow_body"
    status = 408
    title = "The body did not arrive"


class TooLargeError(ServiceError):
    """The body, or a row of it, is larger than a limit."""

    code = "too_large"
    status = 413
    title = "The body is too large"


class MediaTypeError(ServiceError):
    """The body is of a type that is not read."""

    code = "media_type"
    status = 415
    title = "The body's type is not supported"


class RefusedError(ServiceError):
    """The validator refused the sample."""

    code = "refused"
    status = 422
    title = "The sample was refused"


class SampleSchemaError(ServiceError):
    """The sample differs from those that the model was built with; the text says how.

    The cause is what the validator or the predictor raised, if that is why it was compared.
    """

    code = "schema"
    status = 422
    title = "The sample is not like those of the build"


class PredictorError(ServiceError):
    """The predictor raised; the cause is the exception's."""

    code = "raised"
    title = "The predictor failed"


class UnserialisableError(ServiceError):
    """A value has no JSON form."""

    code = "unserialisable"
    title = "The prediction has no JSON form"


class OverloadedError(ServiceError):
    """More is being asked than can be answered in time."""

    code = "overloaded"
    status = 503
    title = "The service is overloaded"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TimeLimitError(ServiceError):
    """The predictor did not answer in time."""

    code = "time_limit"
    status = 504
    title = "The predictor did not answer in time"


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
"""What is the client's fault, or its bad luck: counted by code, apart from failures."""
