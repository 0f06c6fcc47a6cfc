"""Compares a bundle's predictions with those recorded in another bundle."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nachlass_builder.bundle.manifest import Manifest
from nachlass_builder.foundation.errors import ProofError
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.proof.answer import Failure, Scored, Scores
from nachlass_builder.proof.describe_predictions import read_samples
from nachlass_builder.proof.proof import run_service

MAX_EXAMPLES = 10


@dataclass(frozen=True)
class Example:
    """A sample whose predictions differ; `index` is its line in the old samples.jsonl, from 0.

    Reports never contain the sample itself, which may be a row of training data.
    `error` explains why there is no `new` prediction.
    """

    index: int
    old: Any
    new: Any
    error: str | None = None


@dataclass(frozen=True)
class Predictions:
    """The comparison of a new bundle's predictions with an old one's, for `count` samples.

    `reason` explains why they were not compared: there are no samples, or the new
    model does not work at all, and all samples count as failed. `close` are equal
    within the tolerance of the proof, `failed` were rejected or raised. `largest`
    is the largest difference of two numbers, relative to the larger; None if no
    numbers were compared. `examples` are the first different or failed samples.
    Only the types of `random_fields` of either model are compared; "" stands for
    the whole prediction.
    """

    reason: str | None = None
    random_fields: tuple[str, ...] = ()
    count: int = 0
    identical: int = 0
    close: int = 0
    different: int = 0
    failed: int = 0
    largest: float | None = None
    examples: tuple[Example, ...] = ()

    @property
    def agree(self) -> bool:
        """Whether all predictions are equal within the tolerance."""
        return not self.failed and not self.different


def compare_predictions(
    bundle: Path,
    python: Path,
    recorded: Path,
    *,
    random_fields: Sequence[str],
    environment: Mapping[str, str],
    deadline: Deadline,
) -> Predictions:
    """Score the samples of another bundle, and compare the recorded predictions.

    `recorded` is the other bundle's samples.jsonl; if it does not exist, there are
    no samples. Only the types of `random_fields` are compared. `python` is the
    interpreter of the bundle's environment; `environment` has the variables of the
    process, from proof.service_environment. Raises ProofError if the model does not
    work at all.
    """
    before = read_samples(recorded)
    if not before:
        return Predictions("the old bundle has no samples")
    with TemporaryDirectory(prefix="nachlass-") as work:
        answer, _output = run_service(
            python,
            "score",
            bundle,
            Scores,
            work=Path(work),
            environment=environment,
            deadline=deadline,
            stdin=f"{json.dumps(list(random_fields))}\n{recorded.read_text(encoding='utf-8')}",
        )
    if isinstance(answer, Failure):
        raise ProofError(
            f"the samples of the previous bundle cannot be scored: {answer.message}",
            details=answer.traceback,
        )
    summary = _summary(before, answer.answers)
    return replace(summary, random_fields=tuple(random_fields))


def random_fields(*manifests: Manifest) -> list[str]:
    """Return the fields that are random in the predictions of any of the bundles."""
    return sorted(set[str]().union(*(manifest.samples.random_fields for manifest in manifests)))


def _summary(before: list[tuple[Any, Any]], answers: Sequence[Scored]) -> Predictions:
    """Count the results, and keep the first that differ."""
    verdicts = Counter(answer.agreement for answer in answers)
    differences = [answer.difference for answer in answers if answer.difference is not None]
    examples = [
        Example(
            index,
            prediction,
            answer.prediction,
            answer.error.message if answer.error else None,
        )
        for index, ((_sample, prediction), answer) in enumerate(zip(before, answers, strict=True))
        if answer.agreement not in ("identical", "close")
    ]
    return Predictions(
        count=len(before),
        identical=verdicts["identical"],
        close=verdicts["close"],
        different=verdicts["different"],
        failed=verdicts["failed"],
        largest=max(differences, default=None),
        examples=tuple(examples[:MAX_EXAMPLES]),
    )
