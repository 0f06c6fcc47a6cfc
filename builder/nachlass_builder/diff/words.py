"""Texts about differences, shared by the terminal and Markdown formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from nachlass_builder.bundle.contents import SHORT_DIGITS
from nachlass_builder.diff.code import CodeChange
from nachlass_builder.diff.model import Change, Side
from nachlass_builder.foundation.progress import counted

SAME_BUNDLE = "the bundles are identical: same digest"
MAX_DIFF_LINES = 40
"""The number of lines shown of a diff; the rest is only counted."""


def identity(side: Side) -> str:
    """Return a bundle's version and short digest."""
    return f"{side.version}, digest {side.digest[:SHORT_DIGITS]}"


def counted_changes(changes: Iterable[tuple[str, str]]) -> str:
    """Count changes by kind: `2 cells changed, 1 module added`."""
    counts = Counter(changes)
    return ", ".join(f"{counted(n, noun)} {verb}" for (noun, verb), n in counts.items())


def code_nouns(changes: Sequence[CodeChange]) -> list[tuple[str, str]]:
    """Return a noun and the change for each cell and module."""
    return [("module" if c.old is c.new is None else "cell", c.change) for c in changes]


def shortened(diff: str) -> list[str]:
    """Return the lines of a diff, up to a limit."""
    lines = diff.splitlines()
    if len(lines) <= MAX_DIFF_LINES:
        return lines
    return [*lines[:MAX_DIFF_LINES], f"... {len(lines) - MAX_DIFF_LINES} more lines"]


def before_and_after(change: Change) -> str:
    """Format the old and new value: `1.0 → 1.1`, `added: 1.1`, `removed: 1.0`."""
    if change.change == "changed":
        return f"{change.old} → {change.new}"
    value = change.new if change.old is None else change.old
    return f"{change.change}: {value}" if value else change.change


def data_columns(change: Change) -> tuple[str, str]:
    """Return the change of a file, and its sizes."""
    sides = [side for side in (change.old, change.new) if side]
    sizes = [_size(side.bytes) for side in sides if side.bytes is not None]
    by_notebook = all(side.written for side in sides)
    what = "written differently by the notebook" if by_notebook else change.change
    return what, " → ".join(dict.fromkeys(sizes))


def _size(count: int) -> str:
    """Format a number of bytes."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return counted(count, "byte")
