"""The variables that steer a running service: one table, one reader.

`VARIABLES` is the truth that the README's table is compared with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nachlass_service.base.errors import SettingError


@dataclass(frozen=True)
class Variable:
    """One variable of the environment: its name, default and meaning."""

    name: str
    default: str
    meaning: str


VARIABLES: tuple[Variable, ...] = (
    Variable("PORT", "8080", "the port to serve on; the flag --port says the same"),
    Variable(
        "WEB_CONCURRENCY",
        "what cores and memory allow",
        "worker processes; the flag --workers says the same",
    ),
    Variable(
        "GUNICORN_CMD_ARGS",
        "",
        "gunicorn's settings, such as `--access-logfile -`; those without effect here are "
        "refused, flags of ours are stronger",
    ),
    Variable("S2I_APP_METRICS_PREFIX", "nachlass", "what the names of all metrics begin with"),
    Variable(
        "S2I_MAX_BODY_BYTES",
        "16777216",
        "the largest body of a request that is taken; of a batch, the largest row, Arrow record "
        "batch or Parquet file",
    ),
    Variable(
        "S2I_MAX_BATCH_ROWS", "1000000", "the most rows of a batch; what has more is answered 413"
    ),
    Variable(
        "S2I_MAX_BATCH_SECONDS",
        "600",
        "seconds a batch may take to be read, scored and answered; then no more rows are scored",
    ),
    Variable(
        "S2I_PREDICT_TIMEOUT",
        "60",
        "seconds a prediction may take; then the answer is 504 and the worker is replaced",
    ),
    Variable(
        "S2I_PREDICTOR_THREADS",
        "1",
        "predictions a worker makes at once; above 1 the predictor must be thread-safe",
    ),
    Variable(
        "S2I_STRICT_SCHEMA",
        "0",
        "1: refuse each sample that is not like those of the build, before the model is asked; "
        "otherwise the difference is told when the model cannot answer",
    ),
    Variable("S2I_SLOW_REQUEST", "1", "seconds from which on a request is logged as slow"),
    Variable(
        "S2I_SHOW_SAMPLES",
        "0; 1 in `nachlass serve` on loopback",
        "1: show what holds training data: the executed notebook, an example of a sample, "
        "the values of features",
    ),
    Variable(
        "S2I_INPUT_METRICS_RATE",
        "0.1",
        "the share of samples whose input is counted, feature by feature; 0: none",
    ),
    Variable(
        "S2I_DRIFT_WINDOW",
        "3600",
        "seconds of predictions that the page and `/drift` compare with the samples'",
    ),
    Variable("S2I_LOG_FORMAT", "text on a terminal, else json", "`text` or `json`"),
)

MOST_SECONDS = 10_000_000
PREFIX = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


@dataclass(frozen=True)
class Settings:
    """What the environment asks of a service, validated. Times are in seconds."""

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
        """Read the variables; raises SettingError."""
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


def _whole(name: str, text: str, least: int, most: int) -> int:
    """Read a whole number within bounds."""
    if not re.fullmatch(r"\d{1,15}", text, re.ASCII) or not least <= int(text) <= most:
        raise SettingError(f"{name} is {text!r}: use a whole number from {least} to {most}")
    return int(text)


def _switch(name: str, text: str) -> bool:
    """Read 0 or 1."""
    if text not in ("0", "1"):
        raise SettingError(f"{name} is {text!r}: use 0 or 1")
    return text == "1"


def _seconds(name: str, text: str) -> float:
    """Read a number of seconds, above 0 and such that the system can wait for them."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 < seconds <= MOST_SECONDS:
        raise SettingError(
            f"{name} is {text!r}: use a number of seconds above 0, at most {MOST_SECONDS}"
        )
    return seconds


def _share(name: str, text: str) -> float:
    """Read a number from 0 to 1."""
    try:
        share = float(text)
    except ValueError:
        share = -1
    if not 0 <= share <= 1:
        raise SettingError(f"{name} is {text!r}: use a number from 0 to 1")
    return share


def unquote(value: str) -> str:
    """A value without a pair of matching quotes around it, and the blanks around those.

    s2i and `docker run --env-file` keep the quotes. Other blanks are the value's.
    """
    stripped = value.strip()
    is_quoted = len(stripped) > 1 and stripped[0] == stripped[-1] and stripped[0] in "'\""
    return stripped[1:-1] if is_quoted else value
