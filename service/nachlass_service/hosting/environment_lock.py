"""Keeps `nachlass cache prune` from removing the environment of a running service."""

from __future__ import annotations

import fcntl
import os
import sys
from contextlib import suppress
from pathlib import Path

MARK = "in-use"
"""The file beside an environment of the builder's cache; a locked one is not pruned."""


def hold_environment() -> None:
    """Lock the mark of this interpreter's environment, if there is one, until the process ends.

    The workers inherit the lock; the system releases it, also after a crash.
    """
    with suppress(OSError):
        descriptor = os.open(Path(sys.prefix).parent / MARK, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
