"""The words for what two bundles differ in, on a terminal and in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from nachlass_builder.bundle.contents import SHORT_DIGITS
from nachlass_builder.diff.code import CodeChange
from nachlass_builder.diff.model import Change, Side
from nachlass_builder.foundation.progress import counted

SAME_BUNDLE = "both are the same bundle: their digests are equal"
LONGEST_DIFF = 40
"""Lines of a diff that are shown; the rest is counted."""


def identity(side: Side) -> str:
    """A bundle's version, and its digest in short."""
    return f"{side.version}, digest {side.digest[:SHORT_DIGITS]}"


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
    sizes = [_size(side.bytes) for side in sides if side.bytes is not None]
    by_notebook = all(side.written for side in sides)
    what = "written otherwise by the notebook" if by_notebook else change.change
    return what, " → ".join(dict.fromkeys(sizes))


def _size(count: int) -> str:
    """A number of bytes for people."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return counted(count, "byte")
