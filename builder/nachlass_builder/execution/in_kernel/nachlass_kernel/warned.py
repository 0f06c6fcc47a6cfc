"""Tells the builder of warnings that cells show. Notebook's kernel.

The builder calls `watch(path)` before the first cell. Each warning that is
shown, and neither ignored, recorded nor sent elsewhere by the notebook, adds a
line of JSON to the file, once for each category and message:

    {"kinds": names of the category and its bases, "message": what it says,
     "count": the execution count of the cell that runs,
     "frame": as in exception.py, or null}

The frame is the innermost one in a cell. What the cell prints stays the same:
`warnings.showwarning` is the documented place for this, which `catch_warnings`
and `logging.captureWarnings` save and restore. Standard library and IPython
only, so that it works in any kernel.
"""

from __future__ import annotations

import json
import linecache
import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TextIO

from IPython import get_ipython

from nachlass_kernel.cells import cell_files
from nachlass_kernel.exception import Frame

MOST = 1000
"""Different warnings that are told; who warns of each row is not listened to for ever."""
LONGEST = 2000
TIMED = ("<timed exec>", "<timed eval>")


def watch(path: str) -> None:
    """Begin to write warnings to a file."""
    show = warnings.showwarning
    told: set[tuple[type, str]] = set()

    def showwarning(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if file is None and len(told) < MOST:
            with suppress(Exception):  # a user's __str__, a full disk: it is shown all the same
                _tell(message, category, path, told)
        show(message, category, filename, lineno, file, line)

    warnings.showwarning = showwarning


def _tell(
    message: Warning | str, category: type[Warning], path: str, told: set[tuple[type, str]]
) -> None:
    """Write one warning, unless it has been written."""
    text = str(message)[:LONGEST]
    if (category, text) in told:
        return
    told.add((category, text))
    known = {
        "kinds": [kind.__name__ for kind in category.__mro__ if issubclass(kind, Warning)],
        "message": text,
        "count": get_ipython().execution_count,
        "frame": _frame(sys._getframe(2), cell_files()),
    }
    with Path(path).open("a", encoding="utf-8", errors="replace") as file:
        file.write(json.dumps(known) + "\n")


def _frame(frame: FrameType | None, cells: Mapping[str, int]) -> Frame | None:
    """The innermost frame in a cell."""
    while frame is not None:
        file = frame.f_code.co_filename
        if file in cells or file in TIMED:
            text = linecache.getline(file, frame.f_lineno).strip() or None
            return Frame(
                file=file,
                line=frame.f_lineno,
                function=frame.f_code.co_name,
                text=text,
                count=cells.get(file),
            )
        frame = frame.f_back
    return None
