"""Reports what was captured, and what the samples prove."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from nachlass_builder.execution.failing_samples import other_samples_remedy
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


def report_capture(
    captured: Captured,
    pairs: Sequence[tuple[Any, Any]],
    checked: Checked,
    variable: str,
    progress: Progress,
) -> None:
    """Report what the second pass captured.

    `pairs` are the samples with their predictions, `variable` is the name of the
    variable with the samples. Raises ProofError if every prediction is null.
    """
    notebook, samples = checked.chosen.notebooks[-1], captured.pickled.samples
    place = last_binding(notebook, "predictor") or notebook.place()
    predictions = [prediction for _, prediction in pairs]
    _require_predictions(predictions, place, variable)
    progress.note(f"pickled: {captured.pickled.pickle_bytes / 1e6:.1f} MB")
    is_cut = samples.scored < min(samples.total, MAX_SAMPLES)
    if samples.scored and not is_cut:
        progress.note(_used(samples))
    if samples.absent:
        remedy = "define it as" if variable else "set it to a variable that holds"
        progress.warn(
            f"{notebook.place()}: {samples.absent}, so the proof covers loading but not "
            "predictions, and there is no baseline for drift detection; "
            f"{remedy} a list of inputs such as X_test[:100].tolist()"
        )
    if is_cut:
        limit = f"limit {SCORING_BUDGET_S:g} s"
        progress.warn(f"{_used(samples)}: scoring all takes too long ({limit})")
    for text in captured.left_out:
        progress.warn(text)
    if samples.index:
        progress.warn(
            f"{notebook.place()}: the index of the samples ({samples.index}) is ignored: "
            "requests contain only columns; use reset_index() to make it a column"
        )
    if samples.random_fields:
        progress.warn(
            f"{place}: {random_words(samples.random_fields)} different when a sample is scored "
            "twice, so only types are compared; set a seed, such as random_state=0, "
            "or do not keep state between calls"
        )
    for text in _oddities(pairs, samples.numbers):
        progress.warn(f"{place}: {text}")


def _used(samples: ScoredSamples) -> str:
    """Describe how many of the samples were scored."""
    if samples.scored == samples.total:
        return counted(samples.total, "sample")
    return f"{samples.scored} of {samples.total} samples are used, evenly spread"


def _require_predictions(predictions: Sequence[Any], place: Place, variable: str) -> None:
    """Reject a predictor that returns null for every sample."""
    if predictions and all(prediction is None for prediction in predictions):
        raise ProofError(
            f"`predictor` returns None or NaN for all {counted(len(predictions), 'sample')}",
            place=place,
            remedy="return the prediction; None, NaN and infinities are null in JSON\n"
            + other_samples_remedy(variable),
        )


def _oddities(pairs: Sequence[tuple[Any, Any]], numbers: Sequence[int]) -> Iterator[str]:
    """Yield warnings about unusual predictions; `numbers` are the numbers of the samples."""
    first: dict[str, int] = {}
    for number, (_, prediction) in zip(numbers, pairs, strict=True):
        first.setdefault(JSON_TYPES[type(prediction)], number)
    if len(first) > 1:
        kinds = ", ".join(f"{kind} (sample {number})" for kind, number in first.items())
        yield f"`predictor` returns different JSON types: {kinds}"
    if pairs and all(_is_predicted_by_row(sample, prediction) for sample, prediction in pairs):
        yield (
            "each sample is a list of rows with one prediction per row; "
            "if each sample is a single row, clients send one row and get one prediction"
        )


def _is_predicted_by_row(sample: Any, prediction: Any) -> bool:
    """Return whether a sample is a list of rows, and its prediction a list of equal length."""
    is_rows = isinstance(sample, list) and all(isinstance(row, list | dict) for row in sample)
    return is_rows and isinstance(prediction, list) and 0 < len(sample) == len(prediction)
