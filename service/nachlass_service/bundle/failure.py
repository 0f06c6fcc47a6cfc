"""Describes failures in the words of the notebook: cells and files."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from typing import Any, NotRequired, TypedDict

from nachlass_service.base import log
from nachlass_service.base.errors import SampleSchemaError, ServiceError
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.model import describe


class FailureData(TypedDict):
    """A failure as JSON, for the builder.

    `where` is the user's line at which it was raised, `remedy` the next step,
    `traceback` the user's part of it; all may be None. `missing` are the modules and
    distributions that were not found, if that is why; `sample` is the index of the
    sample that failed.
    """

    code: str
    message: str
    missing: NotRequired[list[str]]
    remedy: NotRequired[str | None]
    where: NotRequired[str | None]
    traceback: NotRequired[str | None]
    sample: NotRequired[int]


def as_data(error: ServiceError, bundle: Bundle) -> FailureData:
    """A failure as JSON, but for the sample."""
    cause = error.__cause__
    frames = [] if cause is None else _user_frames(cause, bundle)
    missing = [raised.name for raised in _chain(cause) if isinstance(raised, ImportError)]
    named = [name for name in missing if name and isinstance(name, str)]
    return {
        "code": error.code,
        "message": str(error),
        "missing": named,
        "remedy": next(filter(None, (_remedy(name, bundle) for name in named)), None),
        "where": f"{frames[-1][0]}, line {frames[-1][1].lineno}" if frames else None,
        "traceback": None if cause is None else user_traceback(cause, bundle),
    }


def log_failure(error: ServiceError, bundle: Bundle, **fields: Any) -> None:
    """Write what failed, where in the notebook, and the user's part of the traceback."""
    _log("failed", logging.ERROR, error, bundle, fields)


def log_rejection(error: ServiceError, bundle: Bundle, **fields: Any) -> None:
    """Write why a request, or a row, was turned away, and what the model raised, if it did."""
    _log("rejected", logging.INFO, error, bundle, fields)


def _log(
    event: str, level: int, error: ServiceError, bundle: Bundle, fields: dict[str, Any]
) -> None:
    data = as_data(error, bundle)
    cause = error.__cause__ if isinstance(error, SampleSchemaError) else None
    log.event(
        event,
        level=level,
        status=error.status,
        code=data["code"],
        error=data["message"],
        raised=None if cause is None else describe(cause),
        where=data["where"],
        remedy=data["remedy"],
        **fields,
        traceback=data["traceback"],
    )


def _remedy(missing: str, bundle: Bundle) -> str | None:
    """What brings back a module that the build left out; None when it was not there at all."""
    distribution = bundle.left_out(missing)
    return distribution and (
        f"{distribution} was left out of the serving environment: "
        f"build again with S2I_SERVING_REQUIREMENTS={distribution}"
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, and those that it was raised from, or while they were handled."""
    waiting, seen = [error], set[int]()
    while waiting:
        raised = waiting.pop()
        if raised is not None and id(raised) not in seen:
            seen.add(id(raised))
            yield raised
            waiting += [raised.__context__, raised.__cause__]


def user_traceback(error: BaseException, bundle: Bundle) -> str | None:
    """The frames in cells and in files of the source, and the exception; None without any."""
    lines = []
    for place, frame in _user_frames(error, bundle):
        lines.append(f"{place}, line {frame.lineno}, in {frame.name}")
        lines += [f"  {frame.line}"] if frame.line else []
    return "\n".join([*lines, describe(error)]) if lines else None


def _user_frames(error: BaseException, bundle: Bundle) -> list[tuple[str, traceback.FrameSummary]]:
    """The frames of a traceback that are in cells or in the source, with their places."""
    frames = traceback.extract_tb(error.__traceback__)
    placed = [(bundle.place_of(frame.filename), frame) for frame in frames]
    return [(place, frame) for place, frame in placed if place is not None]
