"""Bundles in the cache: those of git URLs and of sources that cannot be written."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from nachlass_builder.foundation.in_use import hold

BUNDLES = "bundles"
"""The folder of the cache with a folder for each bundle."""


def hold_cached(bundle: Path, cache: Path) -> None:
    """Keep a bundle of the cache from being pruned while this process runs."""
    folder = bundle.parent
    if folder.parent == cache / BUNDLES:
        with suppress(OSError):  # the build says what cannot be written
            folder.mkdir(parents=True, exist_ok=True)
        hold(folder)
