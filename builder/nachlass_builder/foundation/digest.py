"""Names what is made from facts, and files by their content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def digest_of_file(path: Path) -> str:
    """The SHA-256 of a file's content; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(facts: object) -> str:
    """A SHA-256 of facts."""
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()
