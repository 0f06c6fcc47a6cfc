"""Limits the samples in a proven bundle: rows may be personal data."""

from __future__ import annotations

from pathlib import Path

from nachlass_builder.bundle.layout import SAMPLES

MAX_BYTES = 16_000_000
"""The size limit for samples and their predictions in a bundle, in bytes."""


def ship_samples(bundle: Path, *, with_rows: bool, max_bytes: int = MAX_BYTES) -> int:
    """Reduce the samples in the bundle to the limit, evenly spread; return their number."""
    path = bundle / SAMPLES
    if not path.is_file():
        return 0
    if not with_rows:
        path.unlink()
        return 0
    lines = path.read_bytes().splitlines(keepends=True)
    kept = _within(lines, max_bytes)
    if not kept:
        path.unlink()
    elif len(kept) < len(lines):
        path.write_bytes(b"".join(kept))
    return len(kept)


def _within(lines: list[bytes], max_bytes: int) -> list[bytes]:
    """Return as many lines as fit, evenly spread, without lines over half the limit."""
    kept = [line for line in lines if 2 * len(line) <= max_bytes]
    while (size := sum(map(len, kept))) > max_bytes:
        count = min(len(kept) - 1, len(kept) * max_bytes // size)
        kept = [kept[place * len(kept) // count] for place in range(count)]
    return kept
