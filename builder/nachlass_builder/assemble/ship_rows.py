"""Decides how many samples a bundle holds, once they have proven it: rows are data of people."""

from __future__ import annotations

from pathlib import Path

from nachlass_builder.bundle.layout import SAMPLES

MOST_BYTES = 16_000_000
"""Bytes of samples, with their predictions, that a bundle holds at most."""


def ship_samples(bundle: Path, *, with_rows: bool, most_bytes: int = MOST_BYTES) -> int:
    """Leave as many samples in the bundle as may be shipped, evenly spread; their number."""
    path = bundle / SAMPLES
    if not path.is_file():
        return 0
    if not with_rows:
        path.unlink()
        return 0
    lines = path.read_bytes().splitlines(keepends=True)
    kept = _within(lines, most_bytes)
    if not kept:
        path.unlink()
    elif len(kept) < len(lines):
        path.write_bytes(b"".join(kept))
    return len(kept)


def _within(lines: list[bytes], most_bytes: int) -> list[bytes]:
    """As many lines as fit, evenly spread; one that would take half of the room is left out."""
    kept = [line for line in lines if 2 * len(line) <= most_bytes]
    while (size := sum(map(len, kept))) > most_bytes:
        count = min(len(kept) - 1, len(kept) * most_bytes // size)
        kept = [kept[place * len(kept) // count] for place in range(count)]
    return kept
