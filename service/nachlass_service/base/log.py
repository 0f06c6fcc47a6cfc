"""Writes what operators read: one structured line for each event.

JSON, or text on a terminal; always on standard error. `handler` gives its form to
others' records too; those have no fields, and their message is one.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

handler = logging.StreamHandler()
"""Records go to it directly: the model may configure logging as it likes."""


def set_up(log_format: str | None) -> None:
    """Send all events to standard error, as `json` or `text`; by what it is, when None."""
    text = sys.stderr.isatty() if log_format is None else log_format == "text"
    handler.setFormatter(_Text() if text else _Json())


def event(
    name: str,
    *,
    level: int = logging.INFO,
    exc_info: BaseException | None = None,
    **fields: Any,
) -> None:
    """Write one event with its fields; those that are None are left out."""
    known = {name: value for name, value in fields.items() if value is not None}
    info = (type(exc_info), exc_info, exc_info.__traceback__) if exc_info else None
    record = logging.LogRecord("nachlass_service", level, "", 0, name, None, info)
    record.fields = known
    handler.handle(record)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """A record's event and fields: ours, or gunicorn's message as one."""
    given: dict[str, Any] | None = getattr(record, "fields", None)
    fields = (
        {"event": record.getMessage(), **given}
        if given is not None
        else {"event": "gunicorn", "message": record.getMessage()}
    )
    if record.exc_info:
        fields["traceback"] = logging.Formatter().formatException(record.exc_info)
    return fields


class _Json(logging.Formatter):
    """A JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        head = {"time": time, "level": record.levelname.lower()}
        return json.dumps({**head, **_fields(record)}, ensure_ascii=False, default=str)


class _Text(logging.Formatter):
    """A line for people; what has several lines follows, indented."""

    def format(self, record: logging.LogRecord) -> str:
        fields = _fields(record)
        words = [datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")]
        if record.levelno >= logging.WARNING:
            words.append(record.levelname.lower())
        words.append(fields.pop("event"))
        blocks = [fields.pop(name) for name in ("traceback", "curl") if name in fields]
        words += [f"{name}={_value(value)}" for name, value in fields.items()]
        lines = [line for block in blocks for line in block.splitlines()]
        return "\n".join([" ".join(words), *(f"    {line}" for line in lines)])


def _value(value: Any) -> str:
    """A value as text, in quotes when it has white space."""
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or any(map(str.isspace, text)) else text
