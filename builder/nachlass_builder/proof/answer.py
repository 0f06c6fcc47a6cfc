"""The service's results of the commands prove, score, predict and openapi.

The service writes them in `nachlass_service.proof` and `nachlass_service.bundle.failure`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nachlass_builder.bundle.manifest import Baseline, MemoryUse


@dataclass(frozen=True)
class Failure:
    """The error of a failed command.

    `missing` are modules and distributions that were not found, `where` is the line in
    the user's code and `traceback` the user's part; `sample` is the index of the failed
    sample; `blocked_imports` is as in Trial.
    """

    code: str
    message: str
    missing: tuple[str, ...] = ()
    remedy: str | None = None
    where: str | None = None
    traceback: str | None = None
    sample: int | None = None
    blocked_imports: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Proven:
    """A bundle whose predictions match its notebook's.

    `batch` is None without a batch_predictor; `forked` is true if the model may be
    loaded before a fork; the reasons explain why not. `synthetic` is a made-up sample that
    the model accepts, None if there is none.
    """

    samples: int
    memory: MemoryUse
    batch: bool | None
    batch_reason: str | None
    baseline: Baseline
    forked: bool
    forked_reason: str | None
    synthetic: Any


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A bundle whose predictions match its notebook's with some distributions hidden.

    `blocked_imports` are the hidden ones that were imported, `imported` the modules
    that are loaded at the end.
    """

    batch: bool | None
    batch_reason: str | None = None
    blocked_imports: tuple[str, ...] = ()
    imported: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Scored:
    """The result for a sample of another bundle: a prediction, or an error.

    `agreement` is "identical", "close" or "different"; `difference` is the largest
    difference of two numbers, relative to the larger.
    """

    prediction: Any = None
    agreement: str = "failed"
    difference: float | None = None
    error: Failure | None = None


@dataclass(frozen=True)
class Scores:
    """The results for all samples of another bundle."""

    answers: tuple[Scored, ...]


@dataclass(frozen=True)
class Predicted:
    """The prediction for a sample."""

    prediction: Any


@dataclass(frozen=True)
class Described:
    """The text of the OpenAPI document."""

    text: str
