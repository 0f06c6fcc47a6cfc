"""Every way a command can fail, with its exit code.

A failure says what happened, where, and what to do next; the command line is
the only place that prints one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, order=True)
class Place:
    """Where in the user's repository something is: a file, and a cell or line of it.

    `cell` counts the code cells that are not blank, from 1: it is the number
    Jupyter shows beside the cell after "Restart and run all". `line` counts
    from 1 within the cell, or within the file when `cell` is None.
    """

    file: str
    cell: int | None = None
    line: int | None = None

    def __str__(self) -> str:
        """The place as people write it: `model.ipynb, cell 7, line 3`."""
        parts = [self.file]
        if self.cell is not None:
            parts.append(f"cell {self.cell}")
        if self.line is not None:
            parts.append(f"line {self.line}")
        return ", ".join(parts)


class NachlassError(Exception):
    """A failure that the user can read and act on.

    `details` is quoted material (a traceback, a resolver's explanation),
    `remedy` the next step, given only where it is known.
    """

    exit_code: ClassVar[int] = 1
    kind: ClassVar[str] = "a defect of nachlass itself"

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
        """The whole failure as text: message, details, remedy."""
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
    """A notebook certainly cannot work: not JSON, another language, no predictor."""

    exit_code = 4
    kind = "the notebook, as written, cannot become a service"


class RequirementsError(NachlassError):
    """The requirements cannot be read, met together, or installed."""

    exit_code = 5
    kind = "the requirements cannot be read, met or installed"


class ExecutionError(NachlassError):
    """A cell failed, or its kernel died."""

    exit_code = 6
    kind = "a cell, or a hook of an image, failed"


class CaptureError(NachlassError):
    """The notebook ran, but what it defined cannot be pickled or is not there."""

    exit_code = 7
    kind = "the predictor cannot be captured"


class ProofError(NachlassError):
    """The model fails for its samples, or not as in the notebook once it is pickled."""

    exit_code = 8
    kind = "the captured model does not work"


class TimeLimitError(NachlassError):
    """A cell or the build exceeded its time limit."""

    exit_code = 9
    kind = "a time limit passed"


class PredictionError(NachlassError):
    """A sample was refused, or the predictor raised."""

    exit_code = 10
    kind = "the sample was refused or the predictor failed"


class ServeError(NachlassError):
    """The service cannot start, or cannot be reached."""

    exit_code = 11
    kind = "the service cannot start or be reached"


class ImageError(NachlassError):
    """No image can be built or pushed."""

    exit_code = 12
    kind = "the image cannot be built"


class DifferenceError(NachlassError):
    """The retrained model does not answer as the previous one: `build --locked --compare`."""

    exit_code = 13
    kind = "the retrained model answers otherwise"


class RoomError(NachlassError):
    """A disk is full, or a folder cannot be written."""

    exit_code = 15
    kind = "the disk is full, or a folder cannot be written"


FREE_SOME = "free some of it, or let S2I_CACHE_DIR and UV_CACHE_DIR name folders with more room"


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
    RoomError,
)
"""The failures in the order of their exit codes; 2 is click's, for a wrong command line."""
