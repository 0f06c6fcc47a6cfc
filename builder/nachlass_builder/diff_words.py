"""The words for what two bundles differ in, on a terminal and in Markdown. Builder environment."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from nachlass_builder.diff_code import CodeChange
from nachlass_builder.difference import Change, Example, Predictions, Side
from nachlass_builder.report import counted

LONGEST_DIFF = 40
"""Lines of a diff that are shown; the rest is counted."""
LONGEST_VALUE = 60


def identity(side: Side) -> str:
    """A bundle's version and when it was built, to the minute."""
    return f"{side.version}, built {side.created[:16].replace('T', ' ')} UTC"


def verdict(answers: Predictions) -> str:
    """How the predictions compare, in a sentence."""
    if answers.reason:
        return f"not compared: {answers.reason}"
    samples = counted(answers.count, "sample")
    parts = [f"{answers.different} of {samples} differ"] if answers.different else []
    if answers.failed:
        parts.append(f"{answers.failed} of {samples} fail")
    parts = parts or [f"all {samples} answered as before"]
    if answers.close:
        parts.append(f"{answers.close} equal within the tolerance")
    if answers.largest and answers.different:
        parts.append(f"numbers by up to {100 * answers.largest:.3g} % of the larger")
    if not answers.deterministic:
        parts.append("but a model here answers one sample in different ways")
    return ", ".join(parts)


def counted_changes(changes: Iterable[tuple[str, str]]) -> str:
    """How often each thing was changed, added or removed: `2 cells changed, 1 module added`."""
    counts = Counter(changes)
    return ", ".join(f"{counted(n, noun)} {what}" for (noun, what), n in counts.items())


def code_nouns(changes: Sequence[CodeChange]) -> list[tuple[str, str]]:
    """Cells and modules, with what happened to each."""
    return [("module" if c.old is c.new is None else "cell", c.change) for c in changes]


def shortened(diff: str) -> list[str]:
    """The lines of a diff, not too many."""
    lines = diff.splitlines()
    if len(lines) <= LONGEST_DIFF:
        return lines
    return [*lines[:LONGEST_DIFF], f"... {len(lines) - LONGEST_DIFF} more lines"]


def before_and_after(change: Change) -> str:
    """What a thing was and is: `1.0 → 1.1`, `added: 1.1`, `removed: 1.0`."""
    if change.change == "changed":
        return f"{change.old} → {change.new}"
    value = change.new if change.old is None else change.old
    return f"{change.change}: {value}" if value else change.change


def data_columns(change: Change) -> tuple[str, str]:
    """What happened to a file, and its sizes."""
    sides = [side for side in (change.old, change.new) if side]
    sizes = [_size(side["bytes"]) for side in sides if side["bytes"] is not None]
    by_notebook = all(side["written"] for side in sides)
    what = "written otherwise by the notebook" if by_notebook else change.change
    return what, " → ".join(dict.fromkeys(sizes))


def example_columns(example: Example) -> tuple[str, str, str, str]:
    """A sample's index, the answers of both bundles, and by how much a number moved."""
    new = f"fails: {example.error}" if example.error else _value(example.new)
    return str(example.index), _value(example.old), new, _moved(example.old, example.new)


def not_shown(answers: Predictions) -> int:
    """The samples that are answered otherwise and are not among the examples."""
    if answers.reason:
        return 0
    return answers.different + answers.failed - len(answers.examples)


def _size(count: int) -> str:
    """A number of bytes for people."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return counted(count, "byte")


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
