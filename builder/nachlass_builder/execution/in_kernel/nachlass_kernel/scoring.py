"""Scores the samples twice, in an evenly spread order. Notebook's kernel."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from nachlass_kernel.exception import described
from nachlass_kernel.failure import CaptureFailure
from nachlass_kernel.samples import Samples
from nachlass_service.base.errors import RefusedError, ServiceError
from nachlass_service.bundle.agreement import random_fields
from nachlass_service.bundle.jsonable import dumps
from nachlass_service.bundle.model import Model

FIRST = 10
"""A model that fails for each of the first FIRST samples is rejected."""
MAX_FAILURES = 20
"""Scoring stops after this many failures without a success."""
GOLDEN_RATIO = 0.6180339887498949


class SampleFailure(TypedDict):
    """A failing sample: its index in its variable, the ServiceError, its Python type."""

    number: int
    code: str
    message: str
    sample_type: str
    raised: dict[str, object] | None


class AlikeFailures(TypedDict):
    """The number of samples that fail in one way, and the first of them."""

    count: int
    first: SampleFailure


class Scores(TypedDict):
    """The indices of the samples written, and the outcome of the others.

    `total` counts the entries of the variable, `scored` those tried; `absent` says why
    there are none, `index` is as in Samples, `random_fields` as in agreement.
    """

    numbers: list[int]
    total: int
    absent: str | None
    scored: int
    failures: list[AlikeFailures]
    index: str | None
    random_fields: list[str]


def score(model: Model, samples: Samples, path: Path, budget_s: float) -> Scores:
    """Score the samples twice, and write those that succeed to `path` with their predictions.

    Samples that are not scored within `budget_s` seconds are left out. Raise CaptureFailure if
    the model fails for more than half of the samples, or for each of the first ten.
    """
    scoring = _Scoring(model, samples)
    first = scoring.predict(spread(len(samples.entries)), budget_s)
    scoring.require_success(first)
    second = scoring.predict(list(first), None)
    scoring.require_success(second)
    written = sorted(second)
    lines = (
        dumps({"sample": samples.entries[index], "prediction": first[index]}) + "\n"
        for index in written
    )
    if written:
        path.write_text("".join(lines), encoding="utf-8")
    return {
        "numbers": [samples.numbers[index] for index in written],
        "total": samples.total,
        "absent": samples.absent,
        "scored": len(written) + len(scoring.failed),
        "failures": scoring.failures(),
        "index": samples.index,
        "random_fields": random_fields([(first[index], second[index]) for index in written]),
    }


def spread(count: int) -> list[int]:
    """Return the numbers below `count` in an order of which every prefix is evenly spread.

    They are ordered by the fractional part of their multiple of the golden ratio (Weyl's
    equidistribution): a prefix has gaps of at most three lengths, and no period that could
    coincide with one of the samples.
    """
    return sorted(range(count), key=lambda number: number * GOLDEN_RATIO % 1)


class _Scoring:
    """A model, its samples, and the kind of failure for those that failed."""

    def __init__(self, model: Model, samples: Samples) -> None:
        self.model = model
        self.samples = samples
        self.failed: dict[int, str] = {}
        self._first: dict[str, SampleFailure] = {}

    def predict(self, order: Sequence[int], budget_s: float | None) -> dict[int, Any]:
        """Return predictions by sample index, until the budget is spent."""
        started = time.monotonic()
        predictions: dict[int, Any] = {}
        for tried, index in enumerate(order):
            if tried >= MAX_FAILURES and not predictions:
                break
            # Scored as it arrives in a request, and recorded as the client gets it.
            sample = json.loads(json.dumps(self.samples.entries[index]))
            try:
                predictions[index] = json.loads(dumps(self.model.predict(sample)))
            except ServiceError as error:
                self._fail(index, error)
            if budget_s is not None and time.monotonic() - started > budget_s:
                break
        return predictions

    def require_success(self, predictions: Mapping[int, Any]) -> None:
        """Raise for a model that fails for most samples, or for each of the first ones."""
        total, failed = len(self.samples.entries), len(self.failed)
        scored = len(predictions) + failed
        all_first = self.failed.keys() >= {*range(min(FIRST, total))}
        if failed and (2 * failed > scored or all_first):
            raise CaptureFailure(
                "fails", "the model fails", failures=self.failures(), scored=scored, given=total
            )

    def failures(self) -> list[AlikeFailures]:
        """Return the validator's rejections and all other failures, most frequent first."""
        counts = Counter(self.failed.values())
        return [
            {"count": count, "first": self._first[kind]} for kind, count in counts.most_common()
        ]

    def _fail(self, index: int, error: ServiceError) -> None:
        """Record a failure, and describe the first of its kind."""
        kind = "refused" if isinstance(error, RefusedError) else "failed"
        number = self.samples.numbers[index]
        if kind not in self._first or number < self._first[kind]["number"]:
            self._first[kind] = {
                "number": number,
                "code": error.code,
                "message": str(error),
                "sample_type": type(self.samples.entries[index]).__name__,
                "raised": described(error.__cause__),
            }
        self.failed[index] = kind
