"""What a bundle is: its files, its manifest, and how both are read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from nachlass_builder import __version__
from nachlass_builder.foundation.errors import SourceError

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
TRAINING_LOCK = "pylock.training.toml"
SERVING_LOCK = "pylock.serving.toml"
SBOM = "sbom.cdx.json"
SAMPLES = "samples.jsonl"
SOURCE_FOLDER = "src"
"""Where the bundle, beside its lock files, keeps the source."""
SECTIONS = (
    *("schema_version", "name", "version", "contract", "entry", "prediction", "input", "samples"),
    *("batch", "preload", "memory", "slim", "python", "packages", "locks", "source", "data"),
    *("baseline", "parameters", "built_by", "key", "created"),
)
"""What every manifest has."""


def is_bundle(path: Path) -> bool:
    """Whether a folder is a bundle rather than a source."""
    return read_manifest(path) is not None


def missing_parts(path: Path, manifest: Mapping[str, Any]) -> list[str]:
    """What a bundle should have, and has not; its environment may always be made anew."""
    parts = [manifest["entry"]["model"], TRAINING_LOCK, SERVING_LOCK, SOURCE_FOLDER]
    parts += [SAMPLES] if manifest["samples"]["count"] else []
    return [part for part in parts if not (path / part).exists()]


def bundle_at(path: Path) -> dict[str, Any] | None:
    """The manifest of the bundle that somebody named; None for what is none.

    Raises SourceError for a bundle that is damaged, or another version's.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        if _has_parts_of_bundle(path):
            raise _unusable(f"{path} is a damaged bundle: its {MANIFEST} cannot be read") from error
        return None
    if not _is_ours(manifest):
        return None
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise _unusable(f"{path} is not a bundle that nachlass {__version__} reads")
    if missing := [section for section in SECTIONS if section not in manifest]:
        raise _unusable(f"{path} is a damaged bundle: its {MANIFEST} has no {', '.join(missing)}")
    if missing := missing_parts(path, manifest):
        raise _unusable(f"{path} is a damaged bundle: it has no {', '.join(missing)}")
    return manifest


def _has_parts_of_bundle(path: Path) -> bool:
    """Whether a folder looks like a bundle without its manifest: a source has locks at most."""
    locks = (TRAINING_LOCK, SERVING_LOCK)
    models = ("model.pickle", "stages.json")
    return all((path / name).is_file() for name in locks) and any(
        (path / name).is_file() for name in models
    )


def _unusable(message: str) -> SourceError:
    return SourceError(message, remedy="build the source again, with this version")


def read_manifest(path: Path) -> dict[str, Any] | None:
    """The manifest of the bundle at `path`; None when there is no whole bundle."""
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    ours = _is_ours(manifest) and manifest.get("schema_version") == SCHEMA_VERSION
    return manifest if ours else None


def _is_ours(manifest: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a document is a manifest, of whatever version."""
    return isinstance(manifest, dict) and str(manifest.get("built_by")).startswith("nachlass ")


def write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest in one move."""
    partial = path / f"{MANIFEST}.partial"
    text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False)
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(path / MANIFEST)


def write_seed(path: Path, lock: str, resolution: str) -> None:
    """Write what a build takes over from the bundle that it replaces: the lock, if still right.

    It is no bundle that could be kept as it is. Equal seeds are equal files.
    """
    path.mkdir(parents=True)
    (path / TRAINING_LOCK).write_text(lock, encoding="utf-8")
    seed = {
        "schema_version": SCHEMA_VERSION,
        "built_by": f"nachlass {__version__}",
        "locks": {"resolution": resolution},
    }
    write_manifest(path, seed)
    for file in (path / TRAINING_LOCK, path / MANIFEST, path):
        os.utime(file, (0, 0))


def seed_of(bundle: Path) -> tuple[str, str]:
    """A bundle's lock, and the digest of what decided it: what `write_seed` takes."""
    manifest = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    return (bundle / TRAINING_LOCK).read_text(encoding="utf-8"), manifest["locks"]["resolution"]
