"""Says what was captured, and what the samples did and did not show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from nachlass_builder.execution.failing_samples import or_else
from nachlass_builder.execution.outcome import Captured, ScoredSamples
from nachlass_builder.execution.second_pass import MAX_SAMPLES, SCORING_BUDGET_S
from nachlass_builder.foundation.errors import Place, ProofError
from nachlass_builder.foundation.progress import Progress, counted
from nachlass_builder.notebook.find_names import last_binding
from nachlass_builder.proof.compare_words import random_words
from nachlass_builder.requirements.check import Checked

JSON_TYPES = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}


def tell_capture(
    captured: Captured,
    pairs: Sequence[tuple[Any, Any]],
    checked: Checked,
    variable: str,
    progress: Progress,
) -> None:
    """Report what the second pass captured.

    `pairs` are the samples with their predictions, `variable` is what holds the
    samples. Raises ProofError for a model that predicts null for all of them.
    """
    notebook, samples = checked.chosen.notebooks[-1], captured.pickled.samples
    place = last_binding(notebook, "predictor") or notebook.place()
    predictions = [prediction for _, prediction in pairs]
    _require_answers(predictions, place, variable)
    progress.note(f"pickled: {captured.pickled.pickle_bytes / 1e6:.1f} MB")
    cut = samples.scored < min(samples.total, MAX_SAMPLES)
    if samples.scored and not cut:
        progress.note(_used(samples))
    if samples.absent:
        how = "let it name one" if not variable else "add one"
        progress.warn(
            f"{notebook.place()}: {samples.absent}, so only that the model loads is proven, "
            "not that it predicts, and there is no baseline to detect drift; "
            f"{how}, a list of inputs such as X_test[:100].tolist()"
        )
    if cut:
        progress.warn(f"{_used(samples)}: to score all takes more than {SCORING_BUDGET_S:g} s")
    for text in captured.left_out:
        progress.warn(text)
    if samples.index:
        progress.warn(
            f"{notebook.place()}: the index of the samples ({samples.index}) is no part of "
            "them: a request has the columns alone; reset_index() makes it a column"
        )
    if samples.random_fields:
        progress.warn(
            f"{place}: {random_words(samples.random_fields)} different when a sample is scored "
            "twice, so only types are proven there; set a seed, such as random_state=0, "
            "or keep no state between calls"
        )
    for text in _oddities(pairs, samples.numbers):
        progress.warn(f"{place}: {text}")


def _used(samples: ScoredSamples) -> str:
    """How many of the samples were scored."""
    if samples.scored == samples.total:
        return counted(samples.total, "sample")
    return f"{samples.scored} of {samples.total} samples are used, evenly spread"


def _require_answers(predictions: Sequence[Any], place: Place, variable: str) -> None:
    """Refuse a predictor that returns nothing for every sample."""
    if predictions and all(prediction is None for prediction in predictions):
        raise ProofError(
            f"`predictor` returns None or NaN for all {counted(len(predictions), 'sample')}",
            place=place,
            remedy="return the prediction; None, NaN and infinities are null in JSON\n"
            + or_else(variable),
        )


def _oddities(pairs: Sequence[tuple[Any, Any]], numbers: Sequence[int]) -> Iterator[str]:
    """What predictions have that their callers hardly expect; `numbers` are the samples'."""
    first: dict[str, int] = {}
    for number, (_, prediction) in zip(numbers, pairs, strict=True):
        first.setdefault(JSON_TYPES[type(prediction)], number)
    if len(first) > 1:
        kinds = ", ".join(f"{kind} (sample {number})" for kind, number in first.items())
        yield f"`predictor` returns different JSON types: {kinds}"
    if pairs and all(_is_answered_by_row(sample, prediction) for sample, prediction in pairs):
        yield (
            "each sample is a list of rows and is answered by a list of as many predictions; "
            "clients send one row and get one prediction if the samples are rows"
        )


def _is_answered_by_row(sample: Any, prediction: Any) -> bool:
    """Whether a sample is a list of rows, and its prediction a list with an entry for each."""
    is_rows = isinstance(sample, list) and all(isinstance(row, list | dict) for row in sample)
    return is_rows and isinstance(prediction, list) and 0 < len(sample) == len(prediction)
