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

from nachlass_builder.bundle.contents import contents, digest_of_contents
from nachlass_builder.bundle.manifest import MANIFEST, Manifest, read_manifest
from nachlass_builder.foundation.digest import digest_of

BUILT = "built"
"""The folder of the cache with what builds have made."""


def compare_with_before(
    manifest: Manifest, files: Mapping[str, str], destination: Path, cache: Path
) -> str | None:
    """What an equal build has made: the same, or which file differs; None if there was none.

    That is the bundle at `destination`, if it is an equal build's, else what is remembered.
    `files` are the new bundle's, with their digests. They are remembered from now on.
    """
    file = cache / BUILT / f"{_key(manifest)}.json"
    made = {**files, MANIFEST: manifest.digest}
    before = _replaced(manifest, destination) or _remembered(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{uuid4().hex}.part")
    unfinished.write_text(json.dumps(made), encoding="utf-8")
    unfinished.replace(file)
    if not before:
        return None
    if before == made:
        return "the same as an equal build has made before, file by file"
    # The digest of the manifest differs whenever anything does.
    names = sorted(before.keys() | made.keys(), key=lambda name: (name == MANIFEST, name))
    first = next(name for name in names if before.get(name) != made.get(name))
    return f"{first} is not what an equal build has made before: see docs/explanation/reproducible.md"


def _replaced(manifest: Manifest, destination: Path) -> dict[str, str]:
    """The files of the bundle that is replaced, if an equal build has made it."""
    replaced = read_manifest(destination)
    if replaced is None or _key(replaced) != _key(manifest):
        return {}
    files = contents(destination)
    return {**files, MANIFEST: digest_of_contents(files, replaced)}


def _remembered(file: Path) -> dict[str, str]:
    """The files of an earlier bundle."""
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _key(manifest: Manifest) -> str:
    """What equal builds have in common, as a name."""
    source = replace(manifest.source, origin=None)
    facts = [manifest.name, manifest.version, manifest.created, manifest.key, repr(source)]
    return digest_of([*facts, repr(manifest.locks)])[:32]
