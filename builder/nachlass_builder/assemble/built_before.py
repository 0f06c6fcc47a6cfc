"""Remembers what builds have made, so that the next equal one can tell whether it made the same.

Builds are equal when source, settings, packages, Python and Nachlass are: in whatever
folder, and whatever has become of the earlier bundle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from nachlass_builder.bundle.manifest import MANIFEST, Manifest
from nachlass_builder.foundation.digest import digest_of

BUILT = "built"
"""The folder of the cache with what builds have made."""


def compare_with_before(manifest: Manifest, contents: Mapping[str, str], cache: Path) -> str | None:
    """What an equal build has made: the same, or which file differs; None if there was none.

    `contents` are the digests of the bundle's files. They are remembered, in place of the
    earlier ones.
    """
    file = cache / BUILT / f"{_key(manifest)}.json"
    files = {**contents, MANIFEST: manifest.digest}
    try:
        before = dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        before = {}
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{uuid4().hex}.part")
    unfinished.write_text(json.dumps(files), encoding="utf-8")
    unfinished.replace(file)
    if not before:
        return None
    if before == files:
        return "the same as an equal build has made before, file by file"
    # The digest in the manifest differs whenever anything does.
    names = sorted(before.keys() | files.keys(), key=lambda name: (name == MANIFEST, name))
    first = next(name for name in names if before.get(name) != files.get(name))
    return f"{first} is not what an equal build has made before: see docs/reproducible.md"


def _key(manifest: Manifest) -> str:
    """What equal builds have in common, as a name."""
    source = replace(manifest.source, origin=None)
    facts = [manifest.name, manifest.version, manifest.created, manifest.key, repr(source)]
    return digest_of([*facts, repr(manifest.locks)])[:32]
