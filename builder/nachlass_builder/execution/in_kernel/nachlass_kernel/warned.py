"""Reports the cells' warnings to the builder. Notebook's kernel.

The builder calls `watch(path)` before the first cell. Each warning that is shown, and not
ignored, recorded or redirected by the notebook, adds a line of JSON to the file, once for each
category and message:

    {"kinds": names of the category and its bases, "message": its text,
     "count": the execution count of the running cell,
     "frame": as in exception.py, or null}

The frame is the innermost one in a cell. The cell's output does not change:
`warnings.showwarning` is the documented hook for this, which `catch_warnings` and
`logging.captureWarnings` save and restore. Standard library and IPython only, so that it works
in any kernel.
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

MAX_WARNINGS = 1000
"""The most warnings to report, in case code warns about every row."""
MAX_TEXT_LENGTH = 2000
TIMED = ("<timed exec>", "<timed eval>")


def watch(path: str) -> None:
    """Start writing warnings to a file."""
    show = warnings.showwarning
    written: set[tuple[type, str]] = set()

    def showwarning(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if file is None and len(written) < MAX_WARNINGS:
            with suppress(Exception):  # a user's __str__, a full disk: the warning is still shown
                _write(message, category, path, written)
        show(message, category, filename, lineno, file, line)

    warnings.showwarning = showwarning


def _write(
    message: Warning | str, category: type[Warning], path: str, written: set[tuple[type, str]]
) -> None:
    """Write one warning, unless it is already written."""
    text = str(message)[:MAX_TEXT_LENGTH]
    if (category, text) in written:
        return
    written.add((category, text))
    known = {
        "kinds": [kind.__name__ for kind in category.__mro__ if issubclass(kind, Warning)],
        "message": text,
        "count": get_ipython().execution_count,
        "frame": _frame(sys._getframe(2), cell_files()),
    }
    with Path(path).open("a", encoding="utf-8", errors="replace") as file:
        file.write(json.dumps(known) + "\n")


def _frame(frame: FrameType | None, cells: Mapping[str, int]) -> Frame | None:
    """Return the innermost frame in a cell."""
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
