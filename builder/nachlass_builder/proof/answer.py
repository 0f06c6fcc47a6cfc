"""What the service answers when it is asked to prove, to score or to predict.

Its side of these forms: `nachlass_service.proof` and `nachlass_service.bundle.failure`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nachlass_builder.bundle.manifest import Baseline, MemoryUse


@dataclass(frozen=True)
class Failure:
    """Why there is no other answer.

    `missing` are modules and distributions that were not found, `where` is the user's
    line and `traceback` the user's part; `sample` is the index of the sample that
    failed, `blocked_imports` are as in a Trial.
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
    """A bundle that answers as its notebook did.

    `batch` is None without a batch_predictor, `forked` says whether it may be loaded
    before a fork; the reasons say why not.
    """

    samples: int
    memory: MemoryUse
    batch: bool | None
    batch_reason: str | None
    baseline: Baseline
    forked: bool
    forked_reason: str | None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A bundle that answers as its notebook did with distributions hidden.

    `blocked_imports` are those of them that were asked for, `imported` the modules
    that are imported at the end.
    """

    batch: bool | None
    batch_reason: str | None = None
    blocked_imports: tuple[str, ...] = ()
    imported: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Scored:
    """The answer to one of the samples of another bundle: a prediction, or an error.

    `agreement` is "identical", "close" or "different", `difference` the largest of two
    numbers, relative to the larger.
    """

    prediction: Any = None
    agreement: str = "failed"
    difference: float | None = None
    error: Failure | None = None


@dataclass(frozen=True)
class Scores:
    """The answers to all samples of another bundle."""

    answers: tuple[Scored, ...]


@dataclass(frozen=True)
class Predicted:
    """The prediction for what a client would send."""

    prediction: Any
