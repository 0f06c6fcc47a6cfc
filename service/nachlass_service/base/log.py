"""Writes the log for operators: one structured line for each event.

Lines are JSON, or text on a terminal, and always go to standard error. `handler` formats
records of other loggers too: those have no fields, so their message becomes one.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

handler = logging.StreamHandler()
"""Records go to it directly because the model's code may reconfigure logging."""


def set_up(log_format: str | None) -> None:
    """Send all events to standard error as `json` or `text`; None means text on a terminal."""
    text = sys.stderr.isatty() if log_format is None else log_format == "text"
    handler.setFormatter(_Text() if text else _Json())


def event(
    name: str,
    *,
    level: int = logging.INFO,
    exc_info: BaseException | None = None,
    **fields: Any,
) -> None:
    """Write one event with its fields, omitting those that are None."""
    known = {name: value for name, value in fields.items() if value is not None}
    info = (type(exc_info), exc_info, exc_info.__traceback__) if exc_info else None
    record = logging.LogRecord("nachlass_service", level, "", 0, name, None, info)
    record.fields = known
    handler.handle(record)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return a record's event and fields; a gunicorn record has its message as a field."""
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
    """Formats each record as a JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        head = {"time": time, "level": record.levelname.lower()}
        return json.dumps({**head, **_fields(record)}, ensure_ascii=False, default=str)


class _Text(logging.Formatter):
    """Formats each record as a line for people; multi-line fields follow it, indented."""

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
    """Return a value as text, quoted when it is empty or contains whitespace."""
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or any(map(str.isspace, text)) else text
