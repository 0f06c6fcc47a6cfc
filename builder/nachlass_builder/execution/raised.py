"""An exception of the kernel, as the kernel described it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Frame:
    """One call of a traceback; `count` is the execution count when the code is a cell's."""

    file: str
    line: int | None
    function: str
    text: str | None
    count: int | None


@dataclass(frozen=True)
class Raised:
    """An exception of the kernel and its frames, outermost first.

    `name` and `filename` are the exception's attributes, `cwd` is where the
    kernel was; `files` maps cells' files that the message mentions (a worker's
    traceback does) to execution counts; `text` is the kernel's own traceback,
    for want of frames.
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
