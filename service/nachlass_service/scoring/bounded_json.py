"""JSON that a client sent: how much of it there may be is checked before it is decoded.

The decoder keeps all other threads waiting, health checks among them, while it
makes lists, objects and texts; the limits keep that to about a tenth of a second.
An image of 512 x 512 pixels with three channels is within them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from nachlass_service.base.errors import TooLargeError
from nachlass_service.bundle.strict_json import loads

MOST_CONTAINERS = 300_000
MOST_TEXTS = 100_000
"""Texts, and keys of objects: a key may take as long as ten other values."""
MOST_VALUES = 1_100_000
MOST_ESCAPES = 1_500_000
"""Escapes in texts and keys: one every few letters takes the decoder longest of all."""
SURELY_FEW = 200_000
"""Each list, text or number takes two bytes or more: in so many there are not too many."""
PIECE_BYTES = 1 << 16
"""Other threads may run after so many bytes are counted."""


class Size(NamedTuple):
    """What a JSON text holds, at most: `values` are those of lists and objects, in all.

    `escapes` are those of texts and keys.
    """

    containers: int
    texts: int
    values: int
    escapes: int


LIMITS = {
    "lists and objects": MOST_CONTAINERS,
    "texts and keys": MOST_TEXTS,
    "values": MOST_VALUES,
    "escapes in texts": MOST_ESCAPES,
}


def loads_bounded(text: str | bytes) -> Any:
    """Decode one JSON text of a client; raises NotJsonError or TooLargeError."""
    if len(text) > SURELY_FEW:
        reject_if_large(text)
    return loads(text)


def reject_if_large(text: str | bytes) -> None:
    """Raise TooLargeError for a JSON text that holds too much."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    for (kind, limit), found in zip(LIMITS.items(), size_of(data), strict=True):
        if found > limit:
            raise TooLargeError(
                f"the JSON has {found} {kind} (limit {limit}): send less in one request"
            )


def size_of(data: bytes) -> Size:
    """Count what a JSON text holds, in a time that is linear in its length."""
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
    """The pieces of a text, none of which ends within an escape."""
    start = 0
    while piece := data[start : start + PIECE_BYTES]:
        backslashes = len(piece) - len(piece.rstrip(b"\\"))
        if backslashes % 2:
            piece = data[start : start + PIECE_BYTES + 1]
        yield piece
        start += len(piece)
