"""Explains a failed cell: the line and the next step."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from nachlass_builder.execution.advice import NO_ADVICE, Advice
from nachlass_builder.execution.missing_name import explain_missing_name
from nachlass_builder.execution.raised import Frame, Raised
from nachlass_builder.foundation.errors import ExecutionError, Place
from nachlass_builder.foundation.excerpt import (
    CONTEXT_LINES,
    brief,
    plain,
    quoted_source,
    shortened,
)
from nachlass_builder.notebook.notebook import Cell, Notebook, source_line
from nachlass_builder.requirements.import_names import explain_missing_module

MAGIC_HEAD = re.compile(r"\s*%%[^\n]*\n")
TIMED = ("<timed exec>", "<timed eval>")
"""The file names that `%%time` gives its cell."""

REMEDIES = {
    "StdinNotImplementedError": (
        "a build cannot prompt for input: read the value from a file, or from a variable "
        "(os.environ) that .s2i/environment or -e sets"
    ),
    "SystemExit": (
        "remove sys.exit(), exit() or quit(): the kernel must outlive the last cell, "
        "because the predictor is captured after it"
    ),
    "cannot open shared object file": (
        "a system library is missing: install its package (apt-get install), "
        "and list it in apt.txt, which image builds install"
    ),
    "MemoryError": "give the build more memory, or load less data at a time",
    "no display name and no $DISPLAY": (
        "a build has no display: remove matplotlib.use(...) and %matplotlib, and open no windows"
    ),
    "'headless' is currently running": (
        "a build has no display: remove matplotlib.use(...) and %matplotlib"
    ),
}
"""The next step, by a marker in the message."""

MISSING_FILE = re.compile(
    r"AttributeError: (?!'NoneType').* has no attribute|ImportError: cannot import name"
    r"|ModuleNotFoundError: No module named '\w+\.|TypeError: .*unexpected keyword argument"
)
"""Exceptions of code that uses features removed from later library versions."""


OPTIONAL = re.compile(
    r"`Import ([\w.]+)` failed|Missing optional dependency '([\w.]+)'"
    r"|^([\w.]+) is required for |requires '([\w.]+)' version"
)
"""How pandas reports that one of its optional dependencies is not installed."""


@dataclass(frozen=True)
class Spot:
    """A frame as users see it: a line of a cell or of the user's file, or a library."""

    label: str
    text: str = ""
    place: Place | None = None
    is_library: bool = False


@dataclass(frozen=True)
class FailedCell:
    """A cell, its exception, and the context that explains them.

    `numbers` maps execution counts to cell numbers, which differ once a cell was skipped;
    `stderr` is the cell's error output.
    """

    notebook: Notebook
    cell: Cell
    raised: Raised
    numbers: Mapping[int, int]
    root: Path
    advice: Advice = NO_ADVICE
    stderr: str = ""

    def error(self) -> ExecutionError:
        """Return the error to raise."""
        return ExecutionError(
            self.message(), place=self.place(), details=self.details(), remedy=self.remedy()
        )

    def message(self) -> str:
        """Return the exception's type and the first non-blank line of its message."""
        return brief(self._message_lines(self.raised)[0])

    def place(self) -> Place:
        """Return the cell and its innermost line in the traceback."""
        places = [spot.place for spot in self._spots(self.raised)]
        own = [place for place in places if place and place.cell == self.cell.number]
        return own[-1] if own else self.notebook.place(self.cell)

    def details(self) -> str:
        """Return the cell's source with the line marked, then the rest of the traceback."""
        parts = [quoted_source(self.cell.source, self.place().line)]
        if self.raised.cause is not None:
            parts += [self._traceback(self.raised.cause), "and then:"]
        if not self._is_marked_line_alone():
            parts.append(self._traceback(self.raised))
        elif len(message := shortened(self._message_lines(self.raised))) > 1:
            parts.append("\n".join(message))
        if self.raised.ename == "CalledProcessError" and self.stderr.strip():
            end = plain(self.stderr).strip().splitlines()[-10:]
            parts.append("\n".join(["the end of its error output:", *map(brief, end)]))
        return "\n\n".join(parts)

    def remedy(self) -> str | None:
        """Return the next step if it is certain, or if outdated code is a likely cause."""
        return self._certain() or (
            self.advice.newer_versions() if MISSING_FILE.match(self.message()) else None
        )

    def _certain(self) -> str | None:
        """Return the next step for the exception itself."""
        raised = self.raised
        if raised.ename == "ModuleNotFoundError":
            spots = self._spots(raised)
            # Python reports only `google` for a missing `google.colab` if both are missing.
            dotted = re.search(
                rf"\b{re.escape(raised.name)}[\w.]*", spots[-1].text if spots else ""
            )
            return explain_missing_module(
                raised.name,
                dotted[0] if dotted else raised.name,
                root=Path(os.path.realpath(self.root)),
                cwd=raised.cwd,
                explain_file=self._explain_file,
                missing_requirements=lambda written: self.advice.missing_requirements(
                    written, self.place()
                ),
            )
        if raised.ename == "FileNotFoundError" and raised.filename:
            return self._explain_file(raised.filename)
        if raised.ename == "NameError":
            return explain_missing_name(raised.name, self.notebook, self.cell)
        if raised.ename == "ImportError" and (name := self._optional_module()):
            return self.advice.missing_requirements(name, self.place())
        return next((text for sign, text in REMEDIES.items() if sign in self.message()), None)

    def _optional_module(self) -> str | None:
        """Return the module that a library imports only when a function needs it."""
        cause = self.raised.cause
        if cause is not None and cause.ename == "ModuleNotFoundError":
            return cause.name
        found = OPTIONAL.search(self.raised.evalue)
        return found[found.lastindex or 0] if found else None

    def _explain_file(self, name: str) -> str | None:
        """Return why a file is missing, if known; look it up by its path relative to the root."""
        root, path = os.path.realpath(self.root), Path(self.raised.cwd, name)
        if Path(name).is_absolute() and not path.is_relative_to(root):
            return self.advice.missing_file(name)
        return self.advice.missing_file(os.path.relpath(path, root))

    def _message_lines(self, raised: Raised) -> list[str]:
        """Return the exception's type and message as lines, with paths relative to the root."""
        text = plain(raised.evalue)
        for file, count in raised.files.items():
            cell = self._cell(count)
            text = text.replace(f'"{file}"', str(self.notebook.place(cell)))
        for root in (str(self.root), os.path.realpath(self.root)):
            text = text.replace(root + os.sep, "")
        lines = f"{raised.ename}: {text.lstrip()}".strip().removesuffix(":").splitlines()
        return lines or [raised.ename]

    def _traceback(self, raised: Raised) -> str:
        """Return the frames from the cell inwards, libraries condensed, then the message."""
        lines = [line for spots in _runs(self._spots(raised)) for line in spots]
        if not raised.frames and raised.text:
            lines = raised.text.splitlines()[-CONTEXT_LINES * 3 :]
        return "\n".join([*shortened(lines), *shortened(self._message_lines(raised))])

    def _spots(self, raised: Raised) -> list[Spot]:
        """Return the frames as users see them, starting at the user's first frame."""
        spots = [self._spot(f) for f in raised.frames if not f.file.startswith("<frozen")]
        first = next((i for i, spot in enumerate(spots) if not spot.is_library), len(spots))
        return spots[first:]

    def _is_marked_line_alone(self) -> bool:
        """Return whether the traceback is just the line that the quoted source marks."""
        place, spots = self.place(), self._spots(self.raised)
        is_single = self.raised.cause is None and len(spots) == 1
        return is_single and place.line is not None and spots[0].label == str(place)

    def _cell(self, count: int) -> Cell:
        """Return the cell of an execution count; code run by a magic has the next count."""
        return self.notebook.cells[self.numbers.get(count, self.cell.number) - 1]

    def _spot(self, frame: Frame) -> Spot:
        """Return the owner and the place of a frame."""
        cell = None if frame.count is None else self._cell(frame.count)
        if frame.file in TIMED:
            cell = self.cell
        inside = f", in {frame.function}" if frame.function not in ("", "<module>") else ""
        if cell is not None:
            line = line_in_cell(cell.source, frame)
            place = self.notebook.place(cell, line)
            text = source_line(cell.source, line) or frame.text or ""
            return Spot(f"{place}{inside}", text.strip(), place)
        path = Path(os.path.realpath(frame.file))
        if path.is_relative_to(root := os.path.realpath(self.root)):
            place = Place(str(path.relative_to(root)), line=frame.line)
            return Spot(f"{place}{inside}", (frame.text or "").strip(), place)
        return Spot(library_of(frame.file), is_library=True)


def line_in_cell(source: str, frame: Frame) -> int | None:
    """Return the cell line that a frame refers to.

    IPython drops leading blank lines, and magics such as `%%time` run their cell's body as if it
    began at line 1, so the frame's text decides.
    """
    if frame.line is None:
        return None
    blank = len(source[: len(source) - len(source.lstrip())].splitlines())
    magic = MAGIC_HEAD.match(source)
    body = magic[0].count("\n") if magic else 0
    guesses = [frame.line + skipped for skipped in (body, blank, 0)]
    text = (frame.text or "").strip()
    for guess in guesses if text else ():
        if (source_line(source, guess) or "").strip() == text:
            return guess
    guess = frame.line + (body if frame.file in TIMED else blank)
    return guess if source_line(source, guess) is not None else None


def library_of(file: str) -> str:
    """Return the package a file belongs to: `pandas`, or `Python` for the standard library."""
    parts = re.split(r"(?:site|dist)-packages[/\\]", file)
    return re.split(r"[/\\.]", parts[-1])[0] if len(parts) > 1 else "Python"


def _runs(spots: list[Spot]) -> Iterator[list[str]]:
    """Yield the lines for each run of equal frames."""
    for spot, group in groupby(spots):
        count = len(list(group))
        if spot.is_library:
            yield [f"  [{count} {'frame' if count == 1 else 'frames'} in {spot.label}]"]
            continue
        repeats = [f"  [{count - 1} more times]"] if count > 1 else []
        yield [f"  {spot.label}", f"    {spot.text}".rstrip(), *repeats]


def line_with(source: str, *patterns: re.Pattern[str]) -> int | None:
    """Return the number of the first line that matches the first pattern with any match."""
    for pattern in patterns:
        for number, line in enumerate(source.splitlines(), start=1):
            if pattern.search(line):
                return number
    return None
