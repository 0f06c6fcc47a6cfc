"""Quotes cells and output in messages: short, plain text, without credentials."""

from __future__ import annotations

import re

from nachlass_builder.foundation.credentials import redact

ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
MAX_LINE_LENGTH = 300
MAX_SEARCHED_LENGTH = 5000
"""Characters of a line that are searched for credentials; searching megabytes takes too long."""
MAX_CELL_LINES = 12
CONTEXT_LINES = 5
"""Lines shown on each side of the failing line in a longer cell."""
TRACEBACK_LINES = 24


def plain(text: str) -> str:
    """Remove a terminal's control sequences from a text."""
    return ANSI.sub("", text)


def brief(line: str) -> str:
    """Shorten a line and redact its credentials."""
    line = redact(line[:MAX_SEARCHED_LENGTH], ())
    return line if len(line) <= MAX_LINE_LENGTH else f"{line[: MAX_LINE_LENGTH - 1]}…"


def shortened(lines: list[str]) -> list[str]:
    """Return the first and the last of many lines."""
    lines = [brief(line) for line in lines]
    if len(lines) <= TRACEBACK_LINES:
        return lines
    return [*lines[:CONTEXT_LINES], "  ...", *lines[CONTEXT_LINES - TRACEBACK_LINES :]]


def quoted_source(source: str, line: int | None) -> str:
    """Return a cell's source with line numbers and `>` at `line`; excerpts of long cells."""
    lines = source.splitlines()
    wanted = set(range(1, len(lines) + 1))
    if len(lines) > MAX_CELL_LINES and line is None:
        wanted -= set(range(CONTEXT_LINES + 1, len(lines) - CONTEXT_LINES + 1))
    elif len(lines) > MAX_CELL_LINES:
        wanted &= set(range((line or 0) - CONTEXT_LINES, (line or 0) + CONTEXT_LINES + 1))
    width = len(str(max(wanted)))
    shown: list[str] = []
    previous = 0
    for number in sorted(wanted):
        if number != previous + 1:
            shown.append("  ...")
        mark = ">" if number == line else " "
        shown.append(f"{mark} {number:{width}} | {brief(lines[number - 1])}".rstrip())
        previous = number
    if previous < len(lines):
        shown.append("  ...")
    return "\n".join(shown)
