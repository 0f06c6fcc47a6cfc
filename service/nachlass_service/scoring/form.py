"""Reads form bodies (`application/x-www-form-urlencoded`)."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

MAX_FIELDS = 100
PIECE_BYTES = 1 << 16
"""The bytes that are decoded before other threads may run."""


def fields_of(body: bytes) -> dict[str, str]:
    """Return the fields of a form, the first of each name. Raises ValueError."""
    parts = body.split(b"&", MAX_FIELDS)
    if len(parts) > MAX_FIELDS:
        raise ValueError(f"it has too many fields (limit {MAX_FIELDS})")
    fields: dict[str, str] = {}
    for part in parts:
        name, _, value = part.partition(b"=")
        fields.setdefault(_decoded(name), _decoded(value))
    return fields


def _decoded(raw: bytes) -> str:
    return b"".join(unquote_to_bytes(piece) for piece in _pieces(raw)).decode("utf-8")


def _pieces(raw: bytes) -> Iterator[bytes]:
    """Yield the pieces of a name or a value, split outside of escapes, with + as a space."""
    start = 0
    while piece := raw[start : start + PIECE_BYTES]:
        cut = piece.rfind(b"%")
        if cut > 0 and len(piece) == PIECE_BYTES:
            piece = piece[:cut]
        yield piece.replace(b"+", b" ")
        start += len(piece)
