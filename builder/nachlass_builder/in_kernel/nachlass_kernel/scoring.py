"""Scores the samples twice, in an order that is spread over them. Notebook's kernel."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nachlass_kernel.exception import described
from nachlass_kernel.failure import CaptureFailure
from nachlass_kernel.samples import Samples
from nachlass_service.agreement import random_fields
from nachlass_service.errors import ServiceError
from nachlass_service.model import Model
from nachlass_service.strict_json import dumps

FIRST = 10
"""A model that fails for each of so many samples is not asked for more."""


def score(model: Model, samples: Samples, path: Path, budget_s: float) -> dict[str, Any]:
    """Score the samples twice, and write those that succeed to `path` with their predictions.

    Samples that are not scored within `budget_s` seconds are left out. Returns
    {"count": samples written, "total": entries of the variable, "absent": why there
    are none, "scored": how many were tried, "failed": how many of them failed,
    "first": the first failure as _Scoring describes it, "index": as in Samples,
    "random_fields": as agreement.random_fields}. Raises CaptureFailure when the
    model fails for more than half of the samples, or for each of the first ten.
    """
    scoring = _Scoring(model, samples.entries)
    first = scoring.predict(spread(len(samples.entries)), budget_s)
    scoring.require_success(first)
    second = scoring.predict(list(first), None)
    scoring.require_success(second)
    lines = (
        dumps({"sample": samples.entries[index], "prediction": first[index]}) + "\n"
        for index in sorted(second)
    )
    if second:
        path.write_text("".join(lines), encoding="utf-8")
    return {
        "count": len(second),
        "total": samples.total,
        "absent": samples.absent,
        "scored": len(second) + len(scoring.failed),
        "failed": len(scoring.failed),
        "first": scoring.first,
        "index": samples.index,
        "random_fields": random_fields([(first[index], second[index]) for index in second]),
    }


def spread(count: int) -> list[int]:
    """The numbers below `count` in an order whose every beginning is spread evenly over them.

    It is that of their reversed bits: a van der Corput sequence.
    """
    bits = max(count - 1, 1).bit_length()
    return sorted(range(count), key=lambda number: int(f"{number:0{bits}b}"[::-1], 2))


class _Scoring:
    """A model and its samples; the numbers of those that failed, and a description of the first.

    It is {"index": the sample's, "code", "message": as of ServiceError,
    "sample_type": its Python type, "raised": as in exception.py, or null}.
    """

    def __init__(self, model: Model, samples: Sequence[Any]) -> None:
        self.model = model
        self.samples = samples
        self.failed: set[int] = set()
        self.first: dict[str, Any] | None = None

    def predict(self, order: Sequence[int], budget_s: float | None) -> dict[int, Any]:
        """Predictions by the number of the sample, until the budget is spent."""
        started, predictions = time.monotonic(), {}
        for index in order:
            # Scored as it arrives in a request, and recorded as the client gets it.
            sample = json.loads(json.dumps(self.samples[index]))
            try:
                predictions[index] = json.loads(dumps(self.model.predict(sample)))
            except ServiceError as error:
                self._fail(index, error)
            if len(self.failed) >= FIRST and not predictions:
                break
            if budget_s is not None and time.monotonic() - started > budget_s:
                break
        return predictions

    def require_success(self, predictions: Mapping[int, Any]) -> None:
        """Refuse a model that fails for most samples, or for each of the first."""
        scored = len(predictions) + len(self.failed)
        most = 2 * len(self.failed) > scored
        if most or (self.failed and self.failed.issuperset(range(min(FIRST, len(self.samples))))):
            raise CaptureFailure(
                "fails",
                "the model fails",
                first=self.first,
                failed=len(self.failed),
                scored=scored,
                given=len(self.samples),
            )

    def _fail(self, index: int, error: ServiceError) -> None:
        """Note a failure."""
        if self.first is None or index < self.first["index"]:
            self.first = {
                "index": index,
                "code": error.code,
                "message": str(error),
                "sample_type": type(self.samples[index]).__name__,
                "raised": described(error.__cause__),
            }
        self.failed.add(index)
