"""The failures of a command and their exit codes.

A failure says what happened, where, and what to do next. Only the command line prints failures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, order=True)
class Place:
    """A place in the user's repository: a file, optionally a cell and a line.

    `cell` counts non-blank code cells from 1, as Jupyter numbers them after
    "Restart and run all". `line` counts from 1 within the cell, or within the
    file if `cell` is None.
    """

    file: str
    cell: int | None = None
    line: int | None = None

    def __str__(self) -> str:
        """Return the place in words: `model.ipynb, cell 7, line 3`."""
        parts = [self.file]
        if self.cell is not None:
            parts.append(f"cell {self.cell}")
        if self.line is not None:
            parts.append(f"line {self.line}")
        return ", ".join(parts)


class NachlassError(Exception):
    """A failure that the user can act on.

    `details` quotes other output (a traceback, a resolver's explanation);
    `remedy` is the next step, if it is known.
    """

    exit_code: ClassVar[int] = 1
    kind: ClassVar[str] = "a bug in Nachlass"

    def __init__(
        self,
        message: str,
        *,
        place: Place | None = None,
        details: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.details = details
        self.remedy = remedy

    def __str__(self) -> str:
        """Return the message, the details and the remedy as text."""
        where = f"{self.place}: " if self.place else ""
        text = f"error: {where}{self.message}"
        if self.details:
            text += "\n\n" + "\n".join(f"    {line}".rstrip() for line in self.details.splitlines())
        if self.remedy:
            text += f"\n\nhelp: {self.remedy}" if self.details else f"\nhelp: {self.remedy}"
        return text


class SourceError(NachlassError):
    """The source cannot be read: no such folder, no such ref, no notebook in it."""

    exit_code = 3
    kind = "the source cannot be found or read"


class NotebookError(NachlassError):
    """The notebook cannot work: it is not JSON, not Python, or defines no predictor."""

    exit_code = 4
    kind = "the notebook cannot become a service as written"


class RequirementsError(NachlassError):
    """The requirements cannot be read, resolved or installed."""

    exit_code = 5
    kind = "the requirements cannot be read, met or installed"


class ExecutionError(NachlassError):
    """A cell failed, or its kernel died."""

    exit_code = 6
    kind = "a cell or an image hook failed"


class CaptureError(NachlassError):
    """The notebook ran, but a name is missing or its value cannot be pickled."""

    exit_code = 7
    kind = "the predictor cannot be captured"


class ProofError(NachlassError):
    """The model fails on its samples, or predicts differently once it is pickled."""

    exit_code = 8
    kind = "the captured model does not work"


class TimeLimitError(NachlassError):
    """A cell or the build exceeded its time limit."""

    exit_code = 9
    kind = "a time limit was exceeded"


class PredictionError(NachlassError):
    """A sample was rejected, or the predictor raised."""

    exit_code = 10
    kind = "the sample was rejected or the predictor failed"


class ServeError(NachlassError):
    """The service cannot start, or cannot be reached."""

    exit_code = 11
    kind = "the service cannot start or be reached"


class ImageError(NachlassError):
    """The image cannot be built or pushed."""

    exit_code = 12
    kind = "the image cannot be built"


class DifferenceError(NachlassError):
    """The retrained model's predictions differ from the previous ones: `build --compare`."""

    exit_code = 13
    kind = "the retrained model's predictions differ"


class StorageError(NachlassError):
    """The disk is full, or a folder cannot be written."""

    exit_code = 15
    kind = "the disk is full, or a folder cannot be written"


FREE_SPACE = "free some space, or point S2I_CACHE_DIR and UV_CACHE_DIR to folders with more of it"


KINDS: tuple[type[NachlassError], ...] = (
    NachlassError,
    SourceError,
    NotebookError,
    RequirementsError,
    ExecutionError,
    CaptureError,
    ProofError,
    TimeLimitError,
    PredictionError,
    ServeError,
    ImageError,
    DifferenceError,
    StorageError,
)
"""All failures, by exit code. Code 2 is click's: the command line is wrong."""
