"""Writes texts of users in the document's descriptions, which are CommonMark."""

from __future__ import annotations

import re
from collections.abc import Sequence

MAX_LENGTH = 100
"""The most characters of a name or a label."""


def code(text: str) -> str:
    """Return a text as a code span, in which nothing is markup; long ones are cut."""
    shown = text if len(text) <= MAX_LENGTH else f"{text[: MAX_LENGTH - 1]}…"
    shown = " ".join(shown.split()) or '""'
    longest = max(map(len, re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    blank = " " if longest else ""
    return f"{fence}{blank}{shown}{blank}{fence}"


def listed(texts: Sequence[str], most: int) -> str:
    """Return the first texts as code spans, and the number of the others."""
    more = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return ", ".join(map(code, texts[:most])) + more
