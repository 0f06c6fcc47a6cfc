"""Quotes cells and what was said: short, plain, no credentials."""

from __future__ import annotations

import re

from nachlass_builder.foundation.credentials import redact

ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
LONGEST_LINE = 300
LONGEST_SEARCHED = 5000
"""Credentials are hidden before a line is cut; a literal of megabytes would take for ever."""
LONGEST_CELL = 12
AROUND = 5
"""Lines of a longer cell shown on each side of the failing one."""
TRACEBACK_LINES = 24


def plain(text: str) -> str:
    """Text without a terminal's control sequences."""
    return ANSI.sub("", text)


def brief(line: str) -> str:
    """A line that is not too long, and holds no credentials."""
    line = redact(line[:LONGEST_SEARCHED], ())
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"


def shortened(lines: list[str]) -> list[str]:
    """The first and the last of many lines."""
    lines = [brief(line) for line in lines]
    if len(lines) <= TRACEBACK_LINES:
        return lines
    return [*lines[:AROUND], "  ...", *lines[AROUND - TRACEBACK_LINES :]]


def quoted_source(source: str, line: int | None) -> str:
    """A cell's source with numbered lines, `>` at one of them; long cells in part."""
    lines = source.splitlines()
    wanted = set(range(1, len(lines) + 1))
    if len(lines) > LONGEST_CELL and line is None:
        wanted -= set(range(AROUND + 1, len(lines) - AROUND + 1))
    elif len(lines) > LONGEST_CELL:
        wanted &= set(range((line or 0) - AROUND, (line or 0) + AROUND + 1))
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
