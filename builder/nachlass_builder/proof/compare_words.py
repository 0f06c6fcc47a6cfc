"""The words for how the predictions of two bundles compare."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from nachlass_builder.foundation.errors import DifferenceError
from nachlass_builder.foundation.progress import counted
from nachlass_builder.proof.compare import Example, Predictions

LONGEST_VALUE = 60
MOST_FIELDS = 5


def verdict(answers: Predictions) -> str:
    """How the predictions compare; it goes on from "the predictions are"."""
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
    """The random fields of predictions as the subject of a sentence, with its verb."""
    if "" in fields:
        return "the predictions are"
    shown = ", ".join(f"`{field}`" for field in fields[:MOST_FIELDS])
    more = f" and {len(fields) - MOST_FIELDS} more" if len(fields) > MOST_FIELDS else ""
    return f"{shown}{more} {'is' if len(fields) == 1 else 'are'}"


def difference(answers: Predictions) -> DifferenceError | None:
    """The failure for a new model that answers otherwise; None for one that agrees."""
    if answers.agree:
        return None
    return DifferenceError(
        f"the predictions are {verdict(answers)}",
        details="\n".join(map(_line, answers.examples)),
        remedy="the new bundle is in place; with these packages, it is the code, the data or "
        "chance (set the seeds) that made the difference",
    )


def example_columns(example: Example) -> tuple[str, str, str, str]:
    """A sample's index, the answers of both bundles, and by how much a number moved."""
    new = f"fails: {example.error}" if example.error else _value(example.new)
    return str(example.index), _value(example.old), new, _moved(example.old, example.new)


def not_shown(answers: Predictions) -> int:
    """The samples that are answered otherwise and are not among the examples."""
    if answers.reason:
        return 0
    return answers.different + answers.failed - len(answers.examples)


def _line(example: Example) -> str:
    """An example in one line."""
    index, old, new, _moved = example_columns(example)
    return f"sample {index}: was {old}, {new if example.error else f'now {new}'}"


def _value(prediction: Any) -> str:
    """A prediction as one line of JSON, not too long."""
    text = json.dumps(_rounded(prediction), ensure_ascii=False)
    text = text if text.isprintable() else json.dumps(_rounded(prediction))
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def _rounded(value: Any) -> Any:
    """The value with floats of seven digits: what is equal in them agrees."""
    match value:
        case float():
            return float(f"{value:.7g}")
        case list():
            return [_rounded(item) for item in value]
        case dict():
            return {key: _rounded(item) for key, item in value.items()}
    return value


def _moved(old: Any, new: Any) -> str:
    """By how much a number changed, relative to what it was."""
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (old, new))
    return f"{100 * (new - old) / abs(old):+.3g} %" if numbers and old else ""
