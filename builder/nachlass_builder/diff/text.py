"""Formats the differences between two bundles for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from nachlass_builder.diff.code import CodeChange
from nachlass_builder.diff.model import Difference
from nachlass_builder.diff.words import (
    SAME_BUNDLE,
    before_and_after,
    data_columns,
    identity,
    shortened,
)
from nachlass_builder.foundation.credentials import redact
from nachlass_builder.proof.compare import Predictions
from nachlass_builder.proof.compare_words import example_columns, not_shown, verdict

COLORS = {"+": "green", "-": "red", "@": "cyan"}


def as_text(difference: Difference) -> str:
    """Format a section for each kind of difference; list the unchanged kinds at the end."""
    old, new = difference.old, difference.new
    lines = [f"old  {old.name} {identity(old)}", f"new  {new.name} {identity(new)}"]
    lines += ["", SAME_BUNDLE] if difference.same_bundle else []
    packages = [(change.name, before_and_after(change)) for change in difference.packages]
    training_only = [
        (change.name, before_and_after(change), "training only")
        for change in difference.training_packages
    ]
    sections = {
        "code": list(_code(difference.code)),
        "data": _table([(change.name, *data_columns(change)) for change in difference.data]),
        "packages": _table([*packages, *training_only]),
        "Python": [before_and_after(change) for change in difference.python],
        "parameters": _table(
            [(change.name, before_and_after(change)) for change in difference.parameters]
        ),
        "predictions": list(_predictions(difference.predictions)),
    }
    for name, found in sections.items():
        if found:
            lines += ["", click.style(name, bold=True), *(f"  {line}" for line in found)]
    if same := [name for name, found in sections.items() if not found]:
        lines += ["", f"unchanged: {', '.join(same)}"]
    return redact("\n".join(lines), ())


def _code(changes: Sequence[CodeChange]) -> Iterator[str]:
    for change in changes:
        yield f"{change.place}: {change.change}"
        for line in shortened(change.diff):
            yield "    " + click.style(line, fg=COLORS.get(line[:1]))


def _predictions(answers: Predictions) -> Iterator[str]:
    yield verdict(answers)
    if answers.examples:
        rows = [example_columns(example) for example in answers.examples]
        yield from _table([("sample", "old", "new"), *rows])
    if more := not_shown(answers):
        yield f"... and {more} more"


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Align the columns of rows."""
    count = max(map(len, rows), default=0)
    full = [(*row, *[""] * (count - len(row))) for row in rows]
    widths = [max(map(len, column)) for column in zip(*full, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in full
    ]
