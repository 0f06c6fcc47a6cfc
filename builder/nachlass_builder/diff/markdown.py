"""Formats the differences between two bundles for a pull request.

A table gives an overview, one line per section; the details are folded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from nachlass_builder.diff.code import CodeChange
from nachlass_builder.diff.model import Change, Difference, Side
from nachlass_builder.diff.words import (
    SAME_BUNDLE,
    before_and_after,
    code_nouns,
    counted_changes,
    data_columns,
    identity,
    shortened,
)
from nachlass_builder.foundation.credentials import redact
from nachlass_builder.proof.compare import Predictions
from nachlass_builder.proof.compare_words import example_columns, not_shown, verdict

MAX_ROWS = 50
MAX_CHARACTERS = 30_000
"""The limit for diffs, in characters; a GitHub comment may have 65,536 in total."""
SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~#@$])")
"""Characters in foreign text that could be markup or mention somebody."""


def as_markdown(difference: Difference) -> str:
    """Format an overview, then the details of each changed section."""
    packages = [*difference.packages, *difference.training_packages]
    overview = [
        ("Predictions", _plain(verdict(difference.predictions))),
        ("Code", counted_changes(code_nouns(difference.code))),
        ("Data", _counted("file", difference.data)),
        ("Packages", _counted("package", packages)),
        ("Python", ", ".join(map(before_and_after, difference.python))),
        ("Parameters", _counted("parameter", difference.parameters)),
    ]
    details = {
        "Predictions": _predictions(difference.predictions),
        "Code": _code(difference.code),
        "Data": _table(
            ("file", "change", "size"),
            [(_quoted(change.name), *data_columns(change)) for change in difference.data],
        ),
        "Packages": _table(
            ("package", "change", "training only"),
            [
                (
                    _quoted(c.name),
                    _plain(before_and_after(c)),
                    "yes" if at >= len(difference.packages) else "",
                )
                for at, c in enumerate(packages)
            ],
        ),
        "Parameters": _table(
            ("parameter", "change"),
            [(_quoted(c.name), _quoted(before_and_after(c))) for c in difference.parameters],
        ),
    }
    lines = [
        f"### {_title(difference.old)} → {_title(difference.new)}",
        *(["", SAME_BUNDLE] if difference.same_bundle else []),
        "",
        *_table(("", "old → new"), [(name, text or "unchanged") for name, text in overview]),
    ]
    for name, found in details.items():
        if body := "\n".join(found).strip():
            lines += ["", f"<details><summary>{name}</summary>", "", body, "", "</details>"]
    return redact("\n".join(lines), ())


def _title(side: Side) -> str:
    return _plain(f"{side.name} {identity(side)}")


def _counted(noun: str, changes: Sequence[Change]) -> str:
    return counted_changes((noun, change.change) for change in changes)


def _predictions(answers: Predictions) -> Iterator[str]:
    """Format the samples whose predictions differ."""
    rows = [
        (index, _quoted(old), _quoted(new), moved)
        for index, old, new, moved in map(example_columns, answers.examples)
    ]
    yield from _table(("sample", "old", "new", ""), rows)
    if more := not_shown(answers):
        yield from ("", f"... and {more} more")


def _code(changes: Sequence[CodeChange]) -> Iterator[str]:
    """Format the diffs that fit into a comment."""
    remaining = MAX_CHARACTERS
    for change in changes:
        yield f"{_plain(change.place)}: {change.change}"
        diff = "\n".join(shortened(change.diff))
        remaining -= len(diff)
        if remaining >= 0:
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", diff)), default=0))
            yield from ("", f"{fence}diff", diff, fence, "")


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Format a table of limited length; nothing without rows."""
    if rows:
        for row in (header, ("---",) * len(header), *rows[:MAX_ROWS]):
            yield f"| {' | '.join(row)} |"
    if len(rows) > MAX_ROWS:
        yield from ("", f"... and {len(rows) - MAX_ROWS} more")


def _plain(text: str) -> str:
    """Escape Markdown in a text."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _quoted(text: str) -> str:
    """Format a text as code in a table cell."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if "`" in text else ""
    return f"{fence}{space}{' '.join(text.split())}{space}{fence}".replace("|", "\\|")
