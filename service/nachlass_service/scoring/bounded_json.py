"""Checks the size of a client's JSON before it is decoded.

The decoder blocks all other threads, including health checks, while it creates lists,
objects and strings; the limits keep that to about a tenth of a second. An image of
512 x 512 pixels with three channels is within them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from nachlass_service.base.errors import TooLargeError
from nachlass_service.bundle.strict_json import loads

MAX_CONTAINERS = 300_000
MAX_TEXTS = 100_000
"""Strings and keys of objects: a key may take as long as ten other values."""
MAX_VALUES = 1_100_000
MAX_ESCAPES = 1_500_000
"""Escapes in strings and keys: one every few letters is the slowest input for the decoder."""
SURELY_FEW = 200_000
"""Texts up to this length are within the limits: each list, string or number takes two bytes."""
PIECE_BYTES = 1 << 16
"""The bytes that are counted before other threads may run."""


class Size(NamedTuple):
    """Upper bounds for the contents of a JSON text.

    `values` are those in lists and objects; `escapes` are those in strings and keys.
    """

    containers: int
    texts: int
    values: int
    escapes: int


LIMITS = {
    "lists and objects": MAX_CONTAINERS,
    "strings and keys": MAX_TEXTS,
    "values": MAX_VALUES,
    "escapes in strings": MAX_ESCAPES,
}


def loads_bounded(text: str | bytes) -> Any:
    """Decode a client's JSON text; raises NotJsonError or TooLargeError."""
    if len(text) > SURELY_FEW:
        reject_if_large(text)
    return loads(text)


def reject_if_large(text: str | bytes) -> None:
    """Raise TooLargeError for a JSON text that exceeds a limit."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    for (kind, limit), found in zip(LIMITS.items(), size_of(data), strict=True):
        if found > limit:
            raise TooLargeError(
                f"the JSON has {found} {kind} (limit {limit}): send less in one request"
            )


def size_of(data: bytes) -> Size:
    """Count the contents of a JSON text in linear time."""
    containers = quotes = commas = escapes = 0
    is_in_text = False
    for piece in _pieces(data):
        plain = piece.replace(rb"\\", b"").replace(rb"\"", b"")
        escapes += (len(piece) - len(plain)) // 2 + plain.count(b"\\")
        parts = plain.split(b'"')
        outside = b"".join(parts[is_in_text::2])
        quotes += len(parts) - 1
        is_in_text = quotes % 2 == 1
        containers += outside.count(b"[") + outside.count(b"{")
        commas += outside.count(b",")
    return Size(containers, (quotes + 1) // 2, commas + containers + 1, escapes)


def _pieces(data: bytes) -> Iterator[bytes]:
    """Yield the pieces of a text, split outside of escapes."""
    start = 0
    while piece := data[start : start + PIECE_BYTES]:
        backslashes = len(piece) - len(piece.rstrip(b"\\"))
        if backslashes % 2:
            piece = data[start : start + PIECE_BYTES + 1]
        yield piece
        start += len(piece)
