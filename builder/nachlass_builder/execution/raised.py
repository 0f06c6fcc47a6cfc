"""An exception of the kernel, as the kernel described it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Frame:
    """A frame of a traceback; `count` is the execution count if the code is in a cell."""

    file: str
    line: int | None
    function: str
    text: str | None
    count: int | None


@dataclass(frozen=True)
class Raised:
    """An exception of the kernel and its frames, outermost first.

    `name` and `filename` are the exception's attributes, `cwd` is the kernel's working
    directory; `files` maps the cell files that the message mentions (as in a worker's
    traceback) to execution counts; `text` is the kernel's own traceback, used if there are no
    frames.
    """

    ename: str
    evalue: str
    frames: tuple[Frame, ...] = ()
    name: str = ""
    filename: str = ""
    cwd: str = ""
    cause: Raised | None = None
    files: Mapping[str, int] = field(default_factory=dict)
    text: str = ""
