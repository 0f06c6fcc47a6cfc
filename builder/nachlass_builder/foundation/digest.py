"""Names what is made from facts: one digest for all that is kept by it."""

from __future__ import annotations

import hashlib
import json


def digest_of(facts: object) -> str:
    """A SHA-256 of facts."""
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()
