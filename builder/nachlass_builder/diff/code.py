"""Compares the code of two bundles, cell by cell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from itertools import zip_longest
from pathlib import Path

from nachlass_builder.foundation.credentials import redact
from nachlass_builder.notebook.notebook import Cell, read_notebook

MIN_SIMILARITY = 0.5
"""The similarity, from 0 to 1, above which two cells count as one changed cell."""
CONTEXT_LINES = 2
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters of terminals, and characters that UTF-8 cannot encode."""


@dataclass(frozen=True)
class CodeChange:
    """An added, removed or changed cell of a notebook, or module.

    `file` is relative to the source; `old` and `new` are the numbers of the
    cell, None for a module and on the side without the cell; `diff` is
    unified, without a header.
    """

    file: str
    change: str
    old: int | None
    new: int | None
    diff: str

    @property
    def place(self) -> str:
        """The place as text: `model.ipynb, cell 3 (was cell 4)`."""
        if self.old is None and self.new is None:
            return self.file
        if self.new is None:
            return f"{self.file}, former cell {self.old}"
        moved = f" (was cell {self.old})" if self.old not in (None, self.new) else ""
        return f"{self.file}, cell {self.new}{moved}"


def changed_code(
    old: Path, new: Path, old_notebooks: Sequence[str], new_notebooks: Sequence[str]
) -> Iterator[CodeChange]:
    """Yield the changes of notebooks in order, then of modules; `old` and `new` are sources."""
    for name in dict.fromkeys([*new_notebooks, *old_notebooks]):
        before = read_notebook(old, name).cells if name in old_notebooks else ()
        after = read_notebook(new, name).cells if name in new_notebooks else ()
        for pair in _paired(before, after):
            if change := _cell_change(name, *pair):
                yield change
    before_modules, after_modules = _modules(old), _modules(new)
    for name in sorted(before_modules.keys() | after_modules.keys()):
        was, is_now = before_modules.get(name), after_modules.get(name)
        if was != is_now:
            yield CodeChange(name, change_of(was, is_now), None, None, _diff(was, is_now))


def change_of(old: object, new: object) -> str:
    """Name the change between two values; None means that a side does not have it."""
    if old is None:
        return "added"
    return "removed" if new is None else "changed"


def _paired(old: Sequence[Cell], new: Sequence[Cell]) -> Iterator[tuple[Cell | None, Cell | None]]:
    """Pair old and new cells, with None for a cell without a counterpart."""
    matcher = SequenceMatcher(
        None, [cell.source for cell in old], [cell.source for cell in new], autojunk=False
    )
    for tag, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        before, after = old[old_start:old_end], new[new_start:new_end]
        if tag == "replace":
            yield from _paired_by_similarity(before, after)
        else:
            yield from zip_longest(before, after)


def _paired_by_similarity(
    old: Sequence[Cell], new: Sequence[Cell]
) -> Iterator[tuple[Cell | None, Cell | None]]:
    """Pair each old cell with the next similar new cell."""
    for cell in old:
        place = next((at for at, other in enumerate(new) if _are_similar(cell, other)), None)
        if place is None:
            yield cell, None
            continue
        yield from ((None, other) for other in new[:place])
        yield cell, new[place]
        new = new[place + 1 :]
    yield from ((None, other) for other in new)


def _are_similar(one: Cell, other: Cell) -> bool:
    matcher = SequenceMatcher(None, one.source, other.source, autojunk=False)
    ratios = (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio)
    return all(ratio() >= MIN_SIMILARITY for ratio in ratios)


def _cell_change(file: str, old: Cell | None, new: Cell | None) -> CodeChange | None:
    was, is_now = (None if cell is None else cell.source for cell in (old, new))
    if was == is_now:
        return None
    return CodeChange(
        file,
        change_of(was, is_now),
        None if old is None else old.number,
        None if new is None else new.number,
        _diff(was, is_now),
    )


def _diff(old: str | None, new: str | None) -> str:
    """Return a unified diff without header, credentials and control characters."""
    before, after = ((text or "").splitlines() for text in (old, new))
    lines = list(unified_diff(before, after, lineterm="", n=CONTEXT_LINES))
    whole = old is None or new is None  # then line numbers are useless
    text = redact("\n".join(lines[3:] if whole else lines[2:]), ())
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _modules(source: Path) -> dict[str, str]:
    """Return the text of every Python file below a folder."""
    return {
        path.relative_to(source).as_posix(): path.read_text(encoding="utf-8", errors="replace")
        for path in source.rglob("*.py")
        if path.is_file()
    }
