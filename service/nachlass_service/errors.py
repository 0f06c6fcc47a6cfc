"""Every way loading or predicting can fail. Model environment."""

from __future__ import annotations

from typing import ClassVar


class ServiceError(Exception):
    """A failure with a stable code, for whoever asked; its text is one sentence."""

    code: ClassVar[str] = "failed"


class BundleError(ServiceError):
    """The bundle cannot be read, or its model cannot be loaded."""

    code = "bundle"


class NotJsonError(ServiceError):
    """A text is not strict JSON."""

    code = "not_json"


class RefusedError(ServiceError):
    """The validator refused the sample."""

    code = "refused"


class PredictorError(ServiceError):
    """The predictor raised; the cause is the exception's."""

    code = "raised"


class UnserialisableError(ServiceError):
    """A value has no JSON form."""

    code = "unserialisable"
