"""What a bundle is: its files, and how one is recognized."""

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
"""Where the bundle, beside its lock files, keeps the source."""


def is_bundle(path: Path) -> bool:
    """Whether a folder is a bundle rather than a source."""
    return read_manifest(path) is not None


def service_wheel(path: Path, manifest: Manifest) -> Path | None:
    """The wheel of the service that a bundle was proven with; None when it is there no more."""
    wheels = filter(Path.is_file, sorted(path.glob(SERVICE_WHEELS)))
    return next((one for one in wheels if digest_of_file(one) == manifest.locks.service), None)


def missing_parts(path: Path, manifest: Manifest) -> list[str]:
    """What a bundle should have, and has not."""
    parts = [manifest.entry.model, TRAINING_LOCK, SERVING_LOCK, SBOM, SOURCE_FOLDER]
    parts += [SAMPLES] if manifest.samples.are_there else []
    missing = [part for part in parts if not (path / part).exists()]
    return missing if service_wheel(path, manifest) else [*missing, SERVICE_WHEELS]


def bundle_at(path: Path) -> Manifest | None:
    """The manifest of the bundle that somebody named; None for what is none.

    Raises SourceError for a bundle that is damaged, or another version's.
    """
    try:
        document = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        if _has_parts_of_bundle(path):
            raise _unusable(f"{path} is a damaged bundle: its {MANIFEST} cannot be read") from error
        return None
    if not is_ours(document):
        if _has_parts_of_bundle(path):
            raise _unusable(f"{path} is a damaged bundle: its {MANIFEST} is none")
        return None
    if document.get("schema_version") != SCHEMA_VERSION:
        raise _unusable(f"{path} is not a bundle that nachlass {__version__} reads")
    try:
        manifest = decode(document)
    except ValueError as error:
        raise _unusable(f"{path} is a damaged bundle: {MANIFEST}: {error}") from error
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


def is_ours(document: Any) -> bool:
    """Whether a document is a manifest or a seed, of whatever version."""
    return isinstance(document, dict) and str(document.get("built_by")).startswith("nachlass ")
