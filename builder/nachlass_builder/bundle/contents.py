"""What a bundle holds, as digests: of each file, and of all of them with the manifest."""

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
"""The digits of a bundle's digest that people are shown; the service shows as many."""


def contents(bundle: Path) -> dict[str, str]:
    r"""The SHA-256 of each file of a bundle, in hexadecimal, by its path below the bundle.

    Paths are sorted and have slashes; bytes that are not UTF-8 are written `\xff`. A symbolic
    link has `link ` before the SHA-256 of its target as it is written, a file that its owner
    may execute has `program ` before its own. Folders, other modes, times and what is neither
    file nor link do not count, nor does `manifest.json`, which has the digest. Raises OSError.
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
    """The digest of a bundle that has this manifest; raises OSError."""
    return digest_of_contents(contents(bundle), manifest)


def digest_of_contents(files: Mapping[str, str], manifest: Proven) -> str:
    """The digest of a bundle, of its `contents` and its manifest: SHA-256 of a JSON text.

    The text is what Python's `json.dumps(facts, sort_keys=True, separators=(",", ":"))` makes,
    all of it ASCII. `facts` has two keys: `files` is what `contents` returns, `manifest` the
    document in manifest.json without its `digest`.
    """
    document = {name: fact for name, fact in asdict(manifest).items() if name != "digest"}
    facts = {"files": files, "manifest": document}
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
