"""Scores the samples of another bundle and compares the predictions."""

from __future__ import annotations

from collections.abc import Sequence, Set
from functools import partial
from typing import Any, NotRequired, TypedDict

from nachlass_service.base.errors import ServiceError
from nachlass_service.bundle.agreement import agreement_of, largest_difference
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.failure import FailureData, as_data
from nachlass_service.bundle.model import Model, load_model
from nachlass_service.scoring.threads import in_another_thread


class Entry(TypedDict):
    """A line of a bundle's samples.jsonl."""

    sample: Any
    prediction: Any


class Answer(TypedDict):
    """The answer to one entry: an error, or the prediction and its agreement with the entry's.

    `agreement` is "identical", "close" or "different"; `difference` is that of
    agreement.largest_difference.
    """

    prediction: NotRequired[Any]
    agreement: NotRequired[str]
    difference: NotRequired[float | None]
    error: NotRequired[FailureData]


class Answers(TypedDict):
    """The answers to all entries."""

    answers: list[Answer]


def score(bundle: Bundle, recorded: Sequence[Entry], random: Set[str]) -> Answers:
    """Score the entries of another bundle and compare. Raises BundleError.

    Fields in `random` are compared by type only.
    """
    model = load_model(bundle)
    # The service predicts outside the main thread, too.
    answers = in_another_thread(partial(_answers, bundle, model, recorded, random))
    return Answers(answers=answers)


def _answers(
    bundle: Bundle, model: Model, recorded: Sequence[Entry], random: Set[str]
) -> list[Answer]:
    """Return the answer to each entry."""
    answers: list[Answer] = []
    for entry in recorded:
        before = entry["prediction"]
        try:
            after = model.predict(entry["sample"])
        except ServiceError as error:
            answers.append({"error": as_data(error, bundle)})
            continue
        answers.append(
            {
                "prediction": after,
                "agreement": agreement_of(before, after, random),
                "difference": largest_difference(before, after, random),
            }
        )
    return answers
