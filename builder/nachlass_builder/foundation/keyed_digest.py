"""Tells whether secret values have changed, without keeping them or a bare digest of them."""

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
    """HMAC-SHA-256 of values with a key that only this cache has, in hexadecimal.

    Without the key, a short secret cannot be found by trying.
    """
    text = "\0".join(f"{len(value)}:{value}" for value in values)
    key = _key(cache)
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _key(cache: Path) -> bytes:
    """The cache's key, made when it is not there, readable by its owner alone."""
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / KEY
    if not path.is_file():
        unfinished = path.with_name(f"{KEY}.{os.getpid()}")
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(os.urandom(KEY_BYTES))
        with suppress(FileExistsError):  # another build was first: its key counts
            os.link(unfinished, path)
        unfinished.unlink()
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        path.unlink()
        return _key(cache)
    return key
