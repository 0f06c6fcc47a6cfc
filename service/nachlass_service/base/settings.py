"""The variables that configure a running service.

`VARIABLES` is the source of the reference in the documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nachlass_service.base.errors import SettingError


@dataclass(frozen=True)
class Variable:
    """An environment variable: its name, default and meaning."""

    name: str
    default: str
    meaning: str


VARIABLES: tuple[Variable, ...] = (
    Variable("PORT", "8080", "port to listen on; same as the option --port"),
    Variable(
        "WEB_CONCURRENCY",
        "from cores and memory",
        "number of worker processes; same as the option --workers",
    ),
    Variable(
        "GUNICORN_CMD_ARGS",
        "",
        "settings for gunicorn, such as `--access-logfile -`; those without effect are rejected, "
        "and our own options take precedence",
    ),
    Variable("S2I_APP_METRICS_PREFIX", "nachlass", "prefix of all metric names"),
    Variable(
        "S2I_MAX_BODY_BYTES",
        "16777216",
        "maximum size of a request body in bytes; in a batch, of a row, an Arrow record batch or a "
        "Parquet file",
    ),
    Variable(
        "S2I_MAX_BATCH_ROWS",
        "1000000",
        "maximum number of rows in a batch; more are rejected (413)",
    ),
    Variable(
        "S2I_MAX_BATCH_SECONDS",
        "600",
        "maximum duration of a batch in seconds; rows after that are not scored",
    ),
    Variable(
        "S2I_PREDICT_TIMEOUT",
        "60",
        "maximum duration of a prediction in seconds; after that the status is 504 and the worker "
        "is replaced",
    ),
    Variable(
        "S2I_PREDICTOR_THREADS",
        "1",
        "predictions that a worker makes in parallel; above 1 the predictor must be thread-safe",
    ),
    Variable(
        "S2I_STRICT_SCHEMA",
        "0",
        "1: reject samples that do not match the input schema before the model is called; "
        "0: report the mismatch only if the predictor fails",
    ),
    Variable("S2I_SLOW_REQUEST", "1", "requests that take longer are logged as slow, in seconds"),
    Variable(
        "S2I_SHOW_SAMPLES",
        "0; 1 in `nachlass serve` on loopback",
        "1: publish training data: the executed notebook, a sample, the values of features",
    ),
    Variable(
        "S2I_INPUT_METRICS_RATE",
        "0.1",
        "share of samples whose features are counted, 0 to 1",
    ),
    Variable(
        "S2I_DRIFT_WINDOW",
        "3600",
        "length of the window, in seconds, that the page and `/drift` compare with the baseline",
    ),
    Variable("S2I_LOG_FORMAT", "text on a terminal, else json", "`text` or `json`"),
)

MAX_SECONDS = 10_000_000
PREFIX = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


@dataclass(frozen=True)
class Settings:
    """The validated settings of a service. Times are in seconds."""

    port: int
    workers: int | None
    metrics_prefix: str
    max_body_bytes: int
    max_batch_rows: int
    max_batch_s: float
    predict_timeout_s: float
    predictor_threads: int
    strict_schema: bool
    slow_request_s: float
    input_metrics_rate: float
    drift_window_s: float
    show_samples: bool | None
    log_format: str | None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read the variables. Raises SettingError."""
        names = [variable.name for variable in VARIABLES]
        values = {name: unquote(environ.get(name, "")).strip() for name in names}
        prefix = values["S2I_APP_METRICS_PREFIX"] or "nachlass"
        if not PREFIX.fullmatch(prefix):
            raise SettingError(
                f"S2I_APP_METRICS_PREFIX is {prefix!r}: use letters, digits and underscores"
            )
        log_format = values["S2I_LOG_FORMAT"] or None
        if log_format not in (None, "text", "json"):
            raise SettingError(f"S2I_LOG_FORMAT is {log_format!r}: use text or json")
        show = values["S2I_SHOW_SAMPLES"]
        return cls(
            port=_whole("PORT", values["PORT"] or "8080", 0, 65535),
            workers=_whole("WEB_CONCURRENCY", values["WEB_CONCURRENCY"], 1, 128)
            if values["WEB_CONCURRENCY"]
            else None,
            metrics_prefix=prefix,
            max_body_bytes=_whole(
                "S2I_MAX_BODY_BYTES", values["S2I_MAX_BODY_BYTES"] or str(16 << 20), 1, 1 << 40
            ),
            max_batch_rows=_whole(
                "S2I_MAX_BATCH_ROWS", values["S2I_MAX_BATCH_ROWS"] or "1000000", 1, 10**12
            ),
            max_batch_s=_seconds("S2I_MAX_BATCH_SECONDS", values["S2I_MAX_BATCH_SECONDS"] or "600"),
            predict_timeout_s=_seconds(
                "S2I_PREDICT_TIMEOUT", values["S2I_PREDICT_TIMEOUT"] or "60"
            ),
            predictor_threads=_whole(
                "S2I_PREDICTOR_THREADS", values["S2I_PREDICTOR_THREADS"] or "1", 1, 32
            ),
            strict_schema=_switch("S2I_STRICT_SCHEMA", values["S2I_STRICT_SCHEMA"] or "0"),
            slow_request_s=_seconds("S2I_SLOW_REQUEST", values["S2I_SLOW_REQUEST"] or "1"),
            input_metrics_rate=_share(
                "S2I_INPUT_METRICS_RATE", values["S2I_INPUT_METRICS_RATE"] or "0.1"
            ),
            drift_window_s=_seconds("S2I_DRIFT_WINDOW", values["S2I_DRIFT_WINDOW"] or "3600"),
            show_samples=_switch("S2I_SHOW_SAMPLES", show) if show else None,
            log_format=log_format,
        )


def _whole(name: str, text: str, minimum: int, maximum: int) -> int:
    """Parse a whole number within bounds."""
    if not re.fullmatch(r"\d{1,15}", text, re.ASCII) or not minimum <= int(text) <= maximum:
        raise SettingError(f"{name} is {text!r}: use a whole number from {minimum} to {maximum}")
    return int(text)


def _switch(name: str, text: str) -> bool:
    """Parse 0 or 1."""
    if text not in ("0", "1"):
        raise SettingError(f"{name} is {text!r}: use 0 or 1")
    return text == "1"


def _seconds(name: str, text: str) -> float:
    """Parse a positive number of seconds, small enough for the system's timers."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 < seconds <= MAX_SECONDS:
        raise SettingError(
            f"{name} is {text!r}: use a number of seconds above 0, at most {MAX_SECONDS}"
        )
    return seconds


def _share(name: str, text: str) -> float:
    """Parse a number from 0 to 1."""
    try:
        share = float(text)
    except ValueError:
        share = -1
    if not 0 <= share <= 1:
        raise SettingError(f"{name} is {text!r}: use a number from 0 to 1")
    return share


def unquote(value: str) -> str:
    """Strip one pair of matching quotes, and the blanks around them.

    s2i and `docker run --env-file` keep the quotes. Other blanks belong to the value.
    """
    stripped = value.strip()
    is_quoted = len(stripped) > 1 and stripped[0] == stripped[-1] and stripped[0] in "'\""
    return stripped[1:-1] if is_quoted else value
