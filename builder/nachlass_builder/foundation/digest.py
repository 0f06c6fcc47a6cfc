"""Computes digests of files and of JSON values."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's content; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(facts: object) -> str:
    """Return a SHA-256 of `facts`, serialized as JSON."""
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()
