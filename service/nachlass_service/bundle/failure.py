"""Describes failures in terms of the notebook: cells and files."""

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

    `where` is the line of the user's code that raised, `remedy` the next step, and
    `traceback` has the frames of the user's code; all may be None. `missing` has the modules
    and distributions that could not be imported; `sample` is the index of the failed sample.
    """

    code: str
    message: str
    missing: NotRequired[list[str]]
    remedy: NotRequired[str | None]
    where: NotRequired[str | None]
    traceback: NotRequired[str | None]
    sample: NotRequired[int]


def as_data(error: ServiceError, bundle: Bundle) -> FailureData:
    """Return a failure as JSON, without `sample`."""
    cause = error.__cause__
    frames = [] if cause is None else _user_frames(cause, bundle)
    missing = [raised.name for raised in _chain(cause) if isinstance(raised, ImportError)]
    names = [name for name in missing if name and isinstance(name, str)]
    return {
        "code": error.code,
        "message": str(error),
        "missing": names,
        "remedy": next(filter(None, (_remedy(name, bundle) for name in names)), None),
        "where": f"{frames[-1][0]}, line {frames[-1][1].lineno}" if frames else None,
        "traceback": None if cause is None else user_traceback(cause, bundle),
    }


def log_failure(error: ServiceError, bundle: Bundle, **fields: Any) -> None:
    """Log a failure with its place in the notebook and the traceback of the user's code."""
    _log("failed", logging.ERROR, error, bundle, fields)


def log_rejection(error: ServiceError, bundle: Bundle, **fields: Any) -> None:
    """Log why a request or a row was rejected, with the model's exception if there is one."""
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
    """Return how to add a module that the build left out; None when it was never installed."""
    distribution = bundle.left_out(missing)
    return distribution and (
        f"{distribution} was left out of the serving environment: "
        f"build again with S2I_SERVING_REQUIREMENTS={distribution}"
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception, its causes and its contexts."""
    waiting, seen = [error], set[int]()
    while waiting:
        raised = waiting.pop()
        if raised is not None and id(raised) not in seen:
            seen.add(id(raised))
            yield raised
            waiting += [raised.__context__, raised.__cause__]


def user_traceback(error: BaseException, bundle: Bundle) -> str | None:
    """Return the frames in cells and source files, and the exception; None without frames."""
    lines = []
    for place, frame in _user_frames(error, bundle):
        lines.append(f"{place}, line {frame.lineno}, in {frame.name}")
        lines += [f"  {frame.line}"] if frame.line else []
    return "\n".join([*lines, describe(error)]) if lines else None


def _user_frames(error: BaseException, bundle: Bundle) -> list[tuple[str, traceback.FrameSummary]]:
    """Return the frames of a traceback in cells or source files, each with its place."""
    frames = traceback.extract_tb(error.__traceback__)
    placed = [(bundle.place_of(frame.filename), frame) for frame in frames]
    return [(place, frame) for place, frame in placed if place is not None]
