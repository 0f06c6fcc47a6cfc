"""Writes bundles: made beside their place, moved there whole. Builder environment."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from filelock import FileLock, Timeout

from nachlass_builder import __version__
from nachlass_builder.errors import SourceError
from nachlass_builder.pylock import SOURCE_FOLDER
from nachlass_builder.source import WORK_FOLDER, Source

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
TRAINING_LOCK = "pylock.training.toml"
SERVING_LOCK = "pylock.serving.toml"
SBOM = "sbom.cdx.json"
SAMPLES = "samples.jsonl"
SECTIONS = (
    *("schema_version", "name", "version", "contract", "entry", "prediction", "input", "samples"),
    *("batch", "preload", "memory", "slim", "python", "packages", "locks", "source", "data"),
    *("baseline", "parameters", "built_by", "key", "created"),
)
"""What every manifest has."""


@dataclass(frozen=True)
class Workshop:
    """Where a bundle is in the making: `bundle` becomes the bundle, `work` is thrown away."""

    folder: Path

    @property
    def bundle(self) -> Path:
        """The bundle in the making."""
        return self.folder / "bundle"

    @property
    def work(self) -> Path:
        """Everything that only the build needs."""
        return self.folder / "work"

    @property
    def source(self) -> Path:
        """The copy of the source that the cells run in; later the bundle's `src/`."""
        return self.work / "src"


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


def default_bundle(source: Source, cache: Path) -> Path:
    """`.nachlass/bundle` in the source, or a folder of the cache when that cannot be written."""
    if not source.temporary:
        folder = source.root / WORK_FOLDER
        try:
            folder.mkdir(exist_ok=True)
            if os.access(folder, os.W_OK):
                (folder / ".gitignore").write_text("*\n", encoding="utf-8")
                return folder / "bundle"
        except OSError:
            pass
    keyed = source.origin if source.temporary else str(source.root)
    return cache / "bundles" / hashlib.sha256(keyed.encode()).hexdigest()[:16] / "bundle"


@contextmanager
def workshop(destination: Path, cache: Path) -> Iterator[Workshop]:
    """A place to make the bundle for `destination`; one build at a time, nothing left behind.

    What a killed build left is cleared away first, and a bundle that it was
    about to replace is put back.
    """
    _check_destination(destination)
    locks = cache / "locks"
    try:
        locks.mkdir(parents=True, exist_ok=True)
        destination.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceError(
            f"{error.filename} cannot be written: {error.strerror}",
            remedy="name another place with -o, or another cache with S2I_CACHE_DIR",
        ) from error
    key = hashlib.sha256(str(destination.resolve()).encode()).hexdigest()[:16]
    making = destination.parent / f".{destination.name}.making"
    try:
        with FileLock(locks / f"{key}.lock", timeout=0):
            _recover(destination, making)
            try:
                making.mkdir()
                for folder in (making / "bundle", making / "work"):
                    folder.mkdir()
                yield Workshop(making)
            finally:
                remove(making)
    except Timeout:
        raise SourceError(
            f"another build is writing {destination}", remedy="wait for it, or use another -o"
        ) from None


def publish(shop: Workshop, destination: Path) -> None:
    """Move the finished bundle to its place; the one before goes once it is there."""
    before = _before(destination)
    if destination.exists():
        destination.rename(before)
    shop.bundle.rename(destination)
    remove(before)


def _check_destination(destination: Path) -> None:
    """Refuse to replace what is not a bundle."""
    if not os.path.lexists(destination) or _was_bundle(destination):
        return
    if destination.is_dir() and not any(destination.iterdir()):
        return
    raise SourceError(
        f"{destination} exists and is not a bundle",
        remedy="name a new folder with -o; only a bundle is ever replaced",
    )


def _was_bundle(path: Path) -> bool:
    """Whether a folder is a bundle, be it damaged or another version's."""
    try:
        return bundle_at(path) is not None
    except SourceError:
        return True


def _recover(destination: Path, making: Path) -> None:
    """Undo what a killed build left."""
    remove(making)
    before = _before(destination)
    if before.exists() and not destination.exists():
        before.rename(destination)
    remove(before)


def _before(destination: Path) -> Path:
    """Where the replaced bundle is for a moment."""
    return destination.parent / f".{destination.name}.before"


def remove(path: Path) -> None:
    """Delete a tree, also one whose folders a notebook locked, or the link that stands for it."""
    if path.is_symlink():
        path.unlink()
        return
    for folder, folders, _files in os.walk(path):
        for inner in (Path(folder, name) for name in folders):
            if not inner.is_symlink() and not os.access(inner, os.R_OK | os.W_OK | os.X_OK):
                inner.chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)
