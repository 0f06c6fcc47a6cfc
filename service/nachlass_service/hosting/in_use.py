"""Keeps `nachlass cache prune` from removing what a running service uses."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

MARK = "in-use"
"""The file beside an environment or a bundle in the builder's cache; a locked one is not pruned."""


def hold(folder: Path) -> None:
    """Lock the mark of a folder, if it has one, until this process ends.

    The workers inherit the lock; the system releases it, also after a crash.
    """
    with suppress(OSError):
        descriptor = os.open(folder / MARK, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
