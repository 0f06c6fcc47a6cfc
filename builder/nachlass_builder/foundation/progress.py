"""Progress output for people: the current step, its duration, and findings.

Everything goes to standard error; standard output holds only a command's
result. A terminal gets a live line, anything else plain lines.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from nachlass_builder.foundation.credentials import redact
from nachlass_builder.foundation.size import megabytes, size_of


@dataclass
class _Activity:
    """A live line on a terminal: a spinner, a text and the seconds since its start."""

    text: str
    started: float = field(default_factory=time.monotonic)
    spinner: Spinner = field(default_factory=lambda: Spinner("dots", style="cyan"))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        elapsed = f"{time.monotonic() - self.started:.1f} s"
        row = Table.grid(padding=(0, 1))
        row.add_row(self.spinner, Text(self.text, overflow="ellipsis", no_wrap=True), elapsed)
        yield row


@dataclass
class Step:
    """A running step of a build; the size of the folder `made` is printed at the end."""

    made: Path | None = None


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: `1 sample`, `2 samples`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


class Progress:
    """Reports the progress of a build; `quiet` prints only warnings."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.console = Console(file=sys.stderr, highlight=False, markup=False, soft_wrap=True)
        self.seconds: dict[str, float] = {}
        self._line: _Activity | None = None
        self._steps = 0

    @contextmanager
    def step(self, text: str) -> Iterator[Step]:
        """Announce a step; when it succeeds, print its duration and the size of its result."""
        if not self.quiet:
            self._steps += 1
            title = f"---> {self._steps}. {text}"
            self.console.print(title, style="bold" if self.console.is_terminal else None)
        started, step = time.monotonic(), Step()
        with self._activity(text):
            yield step
        self.seconds[text] = time.monotonic() - started
        if not self.quiet:
            size = f", {megabytes(size_of(step.made))}" if step.made else ""
            self.console.print(f"     {self.seconds[text]:.1f} s{size}", style=self._faint)

    @contextmanager
    def cell(self, notebook: str, number: int, total: int) -> Iterator[None]:
        """Show that a cell is running; when it succeeds, print its duration."""
        text = f"{notebook}, cell {number} of {total}"
        started = time.monotonic()
        with self._activity(text):
            yield
        if not self.quiet:
            self.console.print(f"     {text}: {time.monotonic() - started:.1f} s")

    def note(self, text: str) -> None:
        """Print what was inferred or found."""
        if not self.quiet:
            self.console.print(f"     {redact(text, ())}")

    def warn(self, text: str) -> None:
        """Print a warning."""
        style = "yellow" if self.console.is_terminal else None
        self.console.print(f"warning: {redact(text, ())}", style=style)

    @property
    def _faint(self) -> str | None:
        return "dim" if self.console.is_terminal else None

    @contextmanager
    def _activity(self, text: str) -> Iterator[None]:
        """Show a live line while something runs; a cell replaces its step's line."""
        if self.quiet or not self.console.is_terminal:
            yield
        elif self._line is None:
            self._line = _Activity(text)
            try:
                with Live(self._line, console=self.console, transient=True):
                    yield
            finally:
                self._line = None
        else:
            step = (self._line.text, self._line.started)
            self._line.text, self._line.started = text, time.monotonic()
            try:
                yield
            finally:
                self._line.text, self._line.started = step
