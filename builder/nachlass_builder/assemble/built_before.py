"""Remembers the results of builds, to tell whether an equal build produces the same files.

Builds are equal if source, settings, packages, Python and Nachlass are equal. Neither the
folder nor later changes to the earlier bundle matter.
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
"""The cache folder with the results of builds."""


def compare_with_previous(
    manifest: Manifest, files: Mapping[str, str], destination: Path, cache: Path
) -> str | None:
    """Compare a bundle with an earlier equal build; None if there was none.

    The earlier build is the bundle at `destination`, if it is equal, else a remembered one.
    `files` are the files of the new bundle with their digests; they are remembered.
    """
    file = cache / BUILT / f"{_key(manifest)}.json"
    made = {**files, MANIFEST: manifest.digest}
    before = _replaced(manifest, destination) or _read_record(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{uuid4().hex}.part")
    unfinished.write_text(json.dumps(made), encoding="utf-8")
    unfinished.replace(file)
    if not before:
        return None
    if before == made:
        return "identical to an earlier equal build, file by file"
    # The manifest contains the digest of everything else, so it is named last.
    names = sorted(before.keys() | made.keys(), key=lambda name: (name == MANIFEST, name))
    first = next(name for name in names if before.get(name) != made.get(name))
    return f"{first} differs from an earlier equal build: see docs/explanation/reproducible.md"


def _replaced(manifest: Manifest, destination: Path) -> dict[str, str]:
    """Return the files of the bundle to replace, if an equal build wrote it."""
    replaced = read_manifest(destination)
    if replaced is None or _key(replaced) != _key(manifest):
        return {}
    files = contents(destination)
    return {**files, MANIFEST: digest_of_contents(files, replaced)}


def _read_record(file: Path) -> dict[str, str]:
    """Return the remembered files of an earlier bundle."""
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _key(manifest: Manifest) -> str:
    """Return a digest of the facts that equal builds share."""
    source = replace(manifest.source, origin=None)
    facts = [manifest.name, manifest.version, manifest.created, manifest.key, repr(source)]
    return digest_of([*facts, repr(manifest.locks)])[:32]
