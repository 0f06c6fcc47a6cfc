"""Describes the last exception of a cell. Notebook's kernel.

The builder calls `write_last_exception(path)` in the live kernel, which writes JSON: null, or the
fields of the builder's `raised.Raised` except `text`, with frames as Frame. Standard library and
IPython only, so that it works in any kernel.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from nachlass_kernel.cells import cell_files

MAX_FRAMES = 200
MAX_VALUE_LENGTH = 20_000
MAX_CAUSES = 1


class Frame(TypedDict):
    """A frame of a traceback; `count` is the execution count if the code is in a cell."""

    file: str
    line: int | None
    function: str
    text: str | None
    count: int | None


def write_last_exception(path: str) -> None:
    """Write a description of the kernel's last exception."""
    known = described(_raised_by_cell(getattr(sys, "last_value", None)))
    with Path(path).open("w", encoding="utf-8", errors="replace") as file:
        json.dump(known, file)


def _raised_by_cell(error: BaseException | None) -> BaseException | None:
    """Return the cell's exception, even if ipykernel failed to encode it as UTF-8."""
    while isinstance(error, UnicodeEncodeError) and error.__traceback__:
        frames = traceback.extract_tb(error.__traceback__)
        if "jupyter_client" not in frames[-1].filename:
            break
        error = error.__context__
    return error


def described(error: BaseException | None, depth: int = 0) -> dict[str, object] | None:
    """Return an exception and its cause as JSON data."""
    if error is None or depth > MAX_CAUSES:
        return None
    value, cells = _value(error), cell_files()
    context = None if error.__suppress_context__ else error.__context__
    return {
        "ename": type(error).__name__,
        "evalue": value,
        "frames": _frames(error, cells),
        "name": str(getattr(error, "name", None) or ""),
        "filename": str(getattr(error, "filename", None) or ""),
        "cwd": os.getcwd(),  # noqa: PTH109 - as a string
        "cause": described(error.__cause__ or context, depth + 1),
        "files": {file: count for file, count in cells.items() if file in value},
    }


def _value(error: BaseException) -> str:
    """Return the exception's message."""
    try:
        return str(error.msg if isinstance(error, SyntaxError) else error)[:MAX_VALUE_LENGTH]
    except Exception:  # noqa: BLE001 - a user's __str__
        return ""


def _frames(error: BaseException, cells: Mapping[str, int]) -> list[Frame]:
    """Return the innermost frames, outermost first; add one for a syntax error's place."""
    frames = [
        Frame(
            file=frame.filename,
            line=frame.lineno,
            function=frame.name,
            text=frame.line,
            count=cells.get(frame.filename),
        )
        for frame in traceback.extract_tb(error.__traceback__, limit=-MAX_FRAMES)
    ]
    if isinstance(error, SyntaxError) and error.filename:
        # A user's own subclass may have any value in these attributes.
        file, line = str(error.filename), error.lineno if type(error.lineno) is int else None
        text = None if error.text is None else str(error.text)
        frames.append(Frame(file=file, line=line, function="", text=text, count=cells.get(file)))
    return frames
