"""The digests of a bundle: of each file, and of all of them with the manifest."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from nachlass_builder.bundle.manifest import MANIFEST, Proven
from nachlass_builder.foundation.digest import digest_of_file

SHORT_DIGITS = 12
"""The number of digits of a bundle's digest shown to users, the same as in the service."""


def contents(bundle: Path) -> dict[str, str]:
    r"""Return the hexadecimal SHA-256 of each file of a bundle, by its path in the bundle.

    Paths are sorted and use slashes; bytes that are not UTF-8 are written `\xff`. The value is
    `link ` and the SHA-256 of the target as written for a symbolic link, and has the prefix
    `program ` for a file that its owner may execute. Folders, other modes, times, special files
    and `manifest.json`, which contains the digest, do not count. Raise OSError.
    """
    found = {}
    for path in bundle.rglob("*"):
        name = os.fsencode(path.relative_to(bundle)).decode("utf-8", "backslashreplace")
        if name == MANIFEST:
            continue
        if path.is_symlink():
            target = hashlib.sha256(os.fsencode(os.readlink(path)))  # noqa: PTH115 - it keeps `./`
            found[name] = f"link {target.hexdigest()}"
        elif path.is_file():
            kind = "program " if path.stat().st_mode & stat.S_IXUSR else ""
            found[name] = kind + digest_of_file(path)
    return dict(sorted(found.items()))


def digest_of_bundle(bundle: Path, manifest: Proven) -> str:
    """Return the digest of a bundle with this manifest; raise OSError."""
    return digest_of_contents(contents(bundle), manifest)


def digest_of_contents(files: Mapping[str, str], manifest: Proven) -> str:
    """Return the digest of a bundle's `contents` and manifest: the SHA-256 of a JSON text.

    The text is the ASCII result of `json.dumps(facts, sort_keys=True, separators=(",", ":"))` in
    Python. `facts` has two keys: `files` is the result of `contents`, `manifest` the document in
    manifest.json without its `digest`.
    """
    document = {name: fact for name, fact in asdict(manifest).items() if name != "digest"}
    facts = {"files": files, "manifest": document}
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
