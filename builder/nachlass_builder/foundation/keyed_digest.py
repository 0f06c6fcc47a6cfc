"""Detects changes of secret values without storing them or an unkeyed digest of them."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

KEY = "secrets.key"
KEY_BYTES = 32


def keyed_digest(cache: Path, values: Iterable[str]) -> str:
    """Return the HMAC-SHA-256 of values with this cache's key, in hexadecimal.

    Without the key, a short secret cannot be guessed from the digest.
    """
    text = "\0".join(f"{len(value)}:{value}" for value in values)
    key = _key(cache)
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _key(cache: Path) -> bytes:
    """Return the cache's key; create it if it is missing, readable only by its owner."""
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / KEY
    if not path.is_file():
        unfinished = path.with_name(f"{KEY}.{os.getpid()}")
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(os.urandom(KEY_BYTES))
        with suppress(FileExistsError):  # another build was faster: use its key
            os.link(unfinished, path)
        unfinished.unlink()
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        path.unlink()
        return _key(cache)
    return key
