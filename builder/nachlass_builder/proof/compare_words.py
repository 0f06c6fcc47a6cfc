"""Texts about the comparison of predictions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from nachlass_builder.foundation.errors import DifferenceError
from nachlass_builder.foundation.progress import counted
from nachlass_builder.proof.compare import Example, Predictions

MAX_VALUE_LENGTH = 60
MAX_FIELDS = 5


def verdict(answers: Predictions) -> str:
    """Describe the comparison; the text continues "the predictions are"."""
    if answers.reason:
        return f"not compared: {answers.reason}"
    samples = counted(answers.count, "sample")
    if answers.identical == answers.count:
        return f"identical on {samples}"
    word = "equal within the tolerance" if answers.agree else "different"
    counts = {
        "different": answers.different,
        "failed": answers.failed,
        "equal within the tolerance": answers.close,
        "identical": answers.identical,
    }
    parts = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    text = f"{word}: of {samples}, {parts}"
    if answers.largest:
        text += f"; numbers differ by up to {100 * answers.largest:.3g} % of the larger"
    if answers.random_fields:
        text += f"; {random_words(answers.random_fields)} random: only the types are compared"
    return text


def random_words(fields: Sequence[str]) -> str:
    """Return the random fields of predictions as the subject of a sentence, with a verb."""
    if "" in fields:
        return "the predictions are"
    shown = ", ".join(f"`{field}`" for field in fields[:MAX_FIELDS])
    more = f" and {len(fields) - MAX_FIELDS} more" if len(fields) > MAX_FIELDS else ""
    return f"{shown}{more} {'is' if len(fields) == 1 else 'are'}"


def difference(answers: Predictions) -> DifferenceError | None:
    """Return the error for different predictions; None if they agree."""
    if answers.agree:
        return None
    return DifferenceError(
        f"the predictions are {verdict(answers)}",
        details="\n".join(map(_line, answers.examples)),
        remedy="the new bundle has been written; the packages are the same, so the cause is the "
        "code, the data or randomness (set seeds)",
    )


def example_columns(example: Example) -> tuple[str, str, str, str]:
    """Return a sample's index, both predictions, and the relative change of a number."""
    new = f"fails: {example.error}" if example.error else _value(example.new)
    return str(example.index), _value(example.old), new, _moved(example.old, example.new)


def not_shown(answers: Predictions) -> int:
    """Count the different or failed samples that are not among the examples."""
    if answers.reason:
        return 0
    return answers.different + answers.failed - len(answers.examples)


def _line(example: Example) -> str:
    """Format an example on one line."""
    index, old, new, _moved = example_columns(example)
    return f"sample {index}: was {old}, {new if example.error else f'now {new}'}"


def _value(prediction: Any) -> str:
    """Format a prediction as one line of JSON of limited length."""
    text = json.dumps(_rounded(prediction), ensure_ascii=False)
    text = text if text.isprintable() else json.dumps(_rounded(prediction))
    return text if len(text) <= MAX_VALUE_LENGTH else f"{text[: MAX_VALUE_LENGTH - 3]}..."


def _rounded(value: Any) -> Any:
    """Round floats to seven digits: predictions that are equal in these agree."""
    match value:
        case float():
            return float(f"{value:.7g}")
        case list():
            return [_rounded(item) for item in value]
        case dict():
            return {key: _rounded(item) for key, item in value.items()}
    return value


def _moved(old: Any, new: Any) -> str:
    """Format the change of a number relative to its old value."""
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (old, new))
    return f"{100 * (new - old) / abs(old):+.3g} %" if numbers and old else ""
