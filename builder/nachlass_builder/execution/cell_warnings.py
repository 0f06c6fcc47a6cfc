"""Reports Python's warnings from the cells.

Warnings that may mean wrong or unintended results are shown. Warnings about later versions are
only counted, because the lock keeps those versions out; warnings that every build without a
display gives are dropped. Warnings of one category and line are one message with their number,
because they often differ only in values of the samples.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from nachlass_builder.execution.cell_failure import TIMED, line_in_cell
from nachlass_builder.execution.raised import Frame
from nachlass_builder.foundation.credentials import redact, secrets_in
from nachlass_builder.foundation.errors import Place
from nachlass_builder.foundation.excerpt import brief, plain
from nachlass_builder.notebook.notebook import Cell, Notebook

MAX_PER_CELL = 5
OF_LATER_VERSIONS = ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning")
NOISE = re.compile(r"IProgress not found|FigureCanvas\w+ is non-interactive")
"""Warnings that need no action: progress bars and figures without a browser."""


@dataclass(frozen=True)
class Warned:
    """A warning: the names of its category, its message, the running cell and the frame in it."""

    kinds: tuple[str, ...]
    message: str
    count: int
    frame: Frame | None

    @property
    def is_of_later_versions(self) -> bool:
        """Whether it is about code that a later version will reject."""
        return any(kind in OF_LATER_VERSIONS or "Deprecat" in kind for kind in self.kinds)

    @property
    def text(self) -> str:
        """The category and the first line of the message."""
        lines = plain(self.message).strip().splitlines()
        return f"{self.kinds[0]}: {lines[0].strip() if lines else ''}".removesuffix(": ")


@dataclass
class CellWarnings:
    """The warnings of one notebook, as its kernel writes them to a file.

    `numbers` maps execution counts to cell numbers.
    """

    path: Path
    notebook: Notebook
    numbers: Mapping[int, int]
    environment: Mapping[str, str]
    read: int = 0
    later: int = 0
    cells: set[int] = field(default_factory=set)

    def new(self) -> Iterator[str]:
        """Yield messages for the warnings since the last call."""
        more: dict[tuple[int | None, bool], list[int]] = {}
        for (_kind, place, is_of_cells), several in self._alike().items():
            counts = more.setdefault((place.cell, is_of_cells), [])
            counts.append(len(several))
            if len(counts) <= MAX_PER_CELL:
                yield f"{place}: {self._text_of(several)}"
        for (number, is_of_cells), counts in more.items():
            if omitted := sum(counts[MAX_PER_CELL:]):
                what = "1 more warning" if omitted == 1 else f"{omitted} more warnings"
                where = ", see the executed notebook" if is_of_cells else " after the cells"
                yield f"{Place(self.notebook.name, number)}: {what}{where}"

    def _alike(self) -> dict[tuple[str, Place, bool], list[Warned]]:
        """Group new warnings by category, place and whether a cell ran; count the others."""
        alike: dict[tuple[str, Place, bool], list[Warned]] = {}
        for warned in self._new():
            place = self._place(warned)
            if NOISE.search(warned.message):
                continue
            if warned.is_of_later_versions:
                self.later += 1
                self.cells |= {place.cell} if place.cell else set()
                continue
            key = (warned.kinds[0], place, warned.count in self.numbers)
            alike.setdefault(key, []).append(warned)
        return alike

    def _text_of(self, alike: Sequence[Warned]) -> str:
        """Return the first warning of one category and line, and the number of others."""
        text = brief(redact(alike[0].text, secrets_in((), self.environment)))
        return text if len(alike) == 1 else f"{text} (and {len(alike) - 1} more like it)"

    def summary(self) -> str | None:
        """Return how many warnings about later versions there were, and in which cells."""
        if not self.later:
            return None
        what = "1 warning" if self.later == 1 else f"{self.later} warnings"
        numbers = ", ".join(map(str, sorted(self.cells)))
        where = f", cell{'s' * (len(self.cells) > 1)} {numbers}" if numbers else ""
        return (
            f"{self.notebook.name}{where}: {what} about changes in later versions; "
            "the lock keeps the current ones"
        )

    def _new(self) -> list[Warned]:
        """Return the warnings written since the last call, except an unfinished line."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.read)
                whole, newline, _begun = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return []
        self.read += len(whole + newline)
        return [_read(line) for line in whole.splitlines()]

    def _place(self, warned: Warned) -> Place:
        """Return the cell line that led to the warning, or else the running cell."""
        frame = warned.frame
        if frame is None:
            return self.notebook.place(self._cell(warned.count))
        count = warned.count if frame.file in TIMED or frame.count is None else frame.count
        cell = self._cell(count)
        return self.notebook.place(cell, line_in_cell(cell.source, frame))

    def _cell(self, count: int) -> Cell:
        """Return the cell of an execution count, or the last cell for later counts."""
        number = self.numbers.get(count) or max(self.numbers.values(), default=1)
        return self.notebook.cells[number - 1]


def _read(line: bytes) -> Warned:
    """Parse a line of the file that `nachlass_kernel.warned` writes."""
    return msgspec.convert(json.loads(line), Warned)
