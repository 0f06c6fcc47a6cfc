"""The seed for a build without a previous bundle: the lock, and the digest of its inputs.

Images leave it for the next build, at the bundle's place.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from nachlass_builder import __version__
from nachlass_builder.bundle.layout import TRAINING_LOCK, is_ours
from nachlass_builder.bundle.manifest import load_manifest, read_manifest

SEED = "seed.json"


def write_seed(path: Path, bundle: Path) -> None:
    """Write the seed of a bundle; equal locks give equal files.

    Raise OSError or ValueError if the bundle cannot be read.
    """
    resolution = load_manifest(bundle).locks.resolution
    path.mkdir(parents=True)
    lock = (bundle / TRAINING_LOCK).read_text(encoding="utf-8")
    (path / TRAINING_LOCK).write_text(lock, encoding="utf-8")
    seed = {"resolution": resolution, "built_by": f"nachlass {__version__}"}
    (path / SEED).write_text(json.dumps(seed) + "\n", encoding="utf-8")
    for file in (path / TRAINING_LOCK, path / SEED, path):
        os.utime(file, (0, 0))


def is_seed(path: Path) -> bool:
    """Return whether a folder is a seed."""
    return _read(path) is not None


def resolution_of(path: Path) -> str | None:
    """Return the resolution digest of a bundle's or seed's training lock, or else None."""
    manifest = read_manifest(path)
    return manifest.locks.resolution if manifest else _read(path)


def _read(path: Path) -> str | None:
    """Return the digest in a seed; None if it is not a seed."""
    try:
        seed = json.loads((path / SEED).read_text(encoding="utf-8"))
        return str(seed["resolution"]) if is_ours(seed) else None
    except (OSError, ValueError, KeyError):
        return None
