"""Compares a bundle's predictions with those that another recorded. Builder environment."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nachlass_builder.errors import DifferenceError, ProofError
from nachlass_builder.prediction import read_samples
from nachlass_builder.process import Deadline
from nachlass_builder.proof import ask_service
from nachlass_builder.report import counted

MOST_EXAMPLES = 10
LONGEST_VALUE = 100


@dataclass(frozen=True)
class Example:
    """A sample that is answered otherwise; `error` says why when there is no answer `after`.

    The sample itself, which may be a row of training data, is in no report.
    """

    index: int
    before: Any
    after: Any
    error: str | None = None


@dataclass(frozen=True)
class Comparison:
    """How many of `count` samples are answered as before.

    `close` ones are equal within the tolerance of the proof; `failed` ones were
    refused or raised. `largest` is the largest difference of two numbers,
    relative to the larger; None when no numbers were compared. `examples` has
    the first samples that are different or failed, at most 10.
    """

    count: int
    identical: int
    close: int
    different: int
    failed: int
    largest: float | None
    examples: tuple[Example, ...]
    deterministic: bool = True
    """Whether the new model answers a sample always in the same way."""

    @property
    def agrees(self) -> bool:
        """Whether every sample is answered as before, within the tolerance."""
        return not self.failed and not (self.different and self.deterministic)


def compare(
    bundle: Path,
    python: Path,
    recorded: Path,
    *,
    environment: Mapping[str, str],
    deadline: Deadline,
) -> Comparison:
    """Score the samples of another bundle's samples.jsonl, and compare with what it recorded.

    `python` is the interpreter of the bundle's environment, `environment` its
    process's, as proof.service_environment makes it. Without the file
    `recorded` there are no samples. Raises ProofError when the model does not
    answer at all.
    """
    before = read_samples(recorded)
    if not before:
        return Comparison(0, 0, 0, 0, 0, None, ())
    with TemporaryDirectory(prefix="nachlass-") as work:
        answer, _said = ask_service(
            python,
            "score",
            bundle,
            work=Path(work),
            environment=environment,
            deadline=deadline,
            stdin=recorded.read_text(encoding="utf-8"),
        )
    if error := answer.get("error"):
        raise ProofError(
            f"the samples of the bundle before cannot be scored: {error['message']}",
            details=error["traceback"],
        )
    return _summary(before, answer["answers"])


def verdict(comparison: Comparison) -> str:
    """What a comparison shows, in one line."""
    if not comparison.count:
        return "the bundle before has no samples: there is nothing to compare"
    counted_samples = counted(comparison.count, "sample")
    if comparison.identical == comparison.count:
        return f"the predictions on {counted_samples} are identical"
    word = "equal within the tolerance" if comparison.agrees else "different"
    counts = {
        "identical": comparison.identical,
        "equal within the tolerance": comparison.close,
        "different": comparison.different,
        "failed": comparison.failed,
    }
    parts = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    text = f"the predictions are {word}: of {counted_samples}, {parts}"
    if not comparison.deterministic:
        return f"{text}; the model answers one sample in different ways, so this shows nothing"
    if comparison.largest:
        text += f"; numbers differ by up to {comparison.largest:.2g} (relative)"
    return text


def difference(comparison: Comparison) -> DifferenceError | None:
    """The failure for a model that answers otherwise; None for one that agrees."""
    if comparison.agrees:
        return None
    return DifferenceError(
        verdict(comparison),
        details="\n".join(map(_line, comparison.examples)),
        remedy="the new bundle is in place; with these packages, it is the code, the data or "
        "chance (set the seeds) that made the difference",
    )


def _line(example: Example) -> str:
    """An example in one line."""
    now = example.error or f"now {_short(example.after)}"
    return f"sample {example.index}: was {_short(example.before)}, {now}"


def _short(value: Any) -> str:
    """A value as JSON, of a length that can be read."""
    text = json.dumps(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def _summary(before: list[tuple[Any, Any]], answers: list[dict[str, Any]]) -> Comparison:
    """Count the answers, and keep the first that are not as before."""
    verdicts = Counter(answer.get("agreement", "failed") for answer in answers)
    differences = [
        difference for answer in answers if (difference := answer.get("difference")) is not None
    ]
    examples = [
        Example(
            index,
            prediction,
            answer.get("prediction"),
            answer["error"]["message"] if "error" in answer else None,
        )
        for index, ((_sample, prediction), answer) in enumerate(zip(before, answers, strict=True))
        if answer.get("agreement") not in ("identical", "close")
    ]
    return Comparison(
        count=len(before),
        identical=verdicts["identical"],
        close=verdicts["close"],
        different=verdicts["different"],
        failed=verdicts["failed"],
        largest=max(differences, default=None),
        examples=tuple(examples[:MOST_EXAMPLES]),
    )
