"""The layout of a bundle: its files, and how to recognize one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nachlass_builder import __version__
from nachlass_builder.bundle.manifest import (
    MANIFEST,
    SCHEMA_VERSION,
    Manifest,
    decode,
    read_manifest,
)
from nachlass_builder.foundation.digest import digest_of_file
from nachlass_builder.foundation.errors import SourceError

TRAINING_LOCK = "pylock.training.toml"
SERVING_LOCK = "pylock.serving.toml"
SBOM = "sbom.cdx.json"
SAMPLES = "samples.jsonl"
SERVICE_WHEELS = "nachlass_service-*.whl"
SOURCE_FOLDER = "src"
"""The folder for the source in the bundle, next to the lock files."""


def is_bundle(path: Path) -> bool:
    """Return whether a folder is a bundle rather than a source."""
    return read_manifest(path) is not None


def service_wheel(path: Path, manifest: Manifest) -> Path | None:
    """Return the service wheel that a bundle was proven with; None if it is missing."""
    wheels = filter(Path.is_file, sorted(path.glob(SERVICE_WHEELS)))
    return next((one for one in wheels if digest_of_file(one) == manifest.locks.service), None)


def missing_parts(path: Path, manifest: Manifest) -> list[str]:
    """Return the required files that a bundle lacks."""
    parts = [manifest.entry.model, TRAINING_LOCK, SERVING_LOCK, SBOM, SOURCE_FOLDER]
    parts += [SAMPLES] if manifest.samples.are_there else []
    missing = [part for part in parts if not (path / part).exists()]
    return missing if service_wheel(path, manifest) else [*missing, SERVICE_WHEELS]


def bundle_at(path: Path) -> Manifest | None:
    """Return the manifest of the bundle at a path; None if it is not a bundle.

    Raise SourceError for a damaged bundle or one of another version.
    """
    try:
        document = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        if _has_parts_of_bundle(path):
            raise _unusable(f"{path} is a damaged bundle: its {MANIFEST} cannot be read") from error
        return None
    if not is_ours(document):
        if _has_parts_of_bundle(path):
            raise _unusable(f"{path} is a damaged bundle: its {MANIFEST} is not a manifest")
        return None
    if document.get("schema_version") != SCHEMA_VERSION:
        raise _unusable(f"{path} is a bundle that nachlass {__version__} cannot read")
    try:
        manifest = decode(document)
    except ValueError as error:
        raise _unusable(f"{path} is a damaged bundle: {MANIFEST}: {error}") from error
    if missing := missing_parts(path, manifest):
        raise _unusable(f"{path} is a damaged bundle: it has no {', '.join(missing)}")
    return manifest


def _has_parts_of_bundle(path: Path) -> bool:
    """Return whether a folder looks like a bundle without its manifest; a source has only locks."""
    locks = (TRAINING_LOCK, SERVING_LOCK)
    models = ("model.pickle", "stages.json")
    return all((path / name).is_file() for name in locks) and any(
        (path / name).is_file() for name in models
    )


def _unusable(message: str) -> SourceError:
    return SourceError(message, remedy="rebuild the source with this version")


def is_ours(document: Any) -> bool:
    """Return whether a document is a manifest or a seed of any version."""
    return isinstance(document, dict) and str(document.get("built_by")).startswith("nachlass ")
