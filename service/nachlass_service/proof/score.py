"""Scores the samples that another bundle recorded, and compares."""

from __future__ import annotations

from collections.abc import Sequence, Set
from functools import partial
from typing import Any

from nachlass_service.base.errors import ServiceError
from nachlass_service.bundle.agreement import agreement_of, largest_difference
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.failure import as_data
from nachlass_service.bundle.model import Model, load_model
from nachlass_service.scoring.threads import in_another_thread


def score(bundle: Bundle, recorded: Sequence[dict[str, Any]], random: Set[str]) -> dict[str, Any]:
    """Score {"sample", "prediction"} entries, as a bundle's samples.jsonl has them.

    Returns {"answers": [...]}, one for each entry: {"prediction": ...,
    "agreement": "identical", "close" or "different", "difference": as
    agreement.largest_difference} or {"error": as in failure.py}. Of the fields
    in `random` only the types are compared. Raises BundleError.
    """
    model = load_model(bundle)
    # As it is served: the main thread is not where predictions are made.
    answers = in_another_thread(partial(_answers, bundle, model, recorded, random))
    return {"answers": answers}


def _answers(
    bundle: Bundle, model: Model, recorded: Sequence[dict[str, Any]], random: Set[str]
) -> list[dict[str, Any]]:
    """The answer for each entry."""
    answers: list[dict[str, Any]] = []
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
