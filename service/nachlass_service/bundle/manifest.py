"""Reads the part of a bundle's manifest that the service needs.

docs/manifest.schema.json describes the whole manifest, for the builder and the service.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nachlass_service.base.errors import BundleError
from nachlass_service.bundle.typed_json import decode

MANIFEST = "manifest.json"
SCHEMA_VERSION = 1
PROVEN = frozenset(("packages", "slim", "batch", "preload", "memory", "baseline", "digest"))
"""The keys that the proof adds to a manifest: only the proof itself reads bundles without them."""

DIGEST = re.compile("[0-9a-f]{64}")
SHORT_DIGITS = 12
"""The number of digest digits that the page, the log, the metrics and the builder show."""

Schema = Mapping[str, Any] | bool
"""A JSON Schema."""
Counts = dict[str, dict[str, float]]
"""The count of each value by field or feature; numbers are counted by interval."""


@dataclass(frozen=True)
class Entry:
    """How to load the model; folders are relative to the bundle's `src/`.

    `predictor` is the place of its definition, None for a pipeline; `cells` maps the
    file names that the kernel gave to code objects to their cells.
    """

    predictor: str | None
    validator: bool
    working_directory: str
    import_folders: tuple[str, ...]
    cells: Mapping[str, str]


@dataclass(frozen=True)
class Prediction:
    """The fields of predictions: each has labels, or upper bounds of buckets, or both.

    `ladder` has the bounds for fields that occur in no sample.
    """

    kind: str
    fields: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    buckets: Mapping[str, tuple[float, ...]]
    ladder: tuple[float, ...]


@dataclass(frozen=True)
class Features:
    """The features of samples: each has labels, or upper bounds of buckets."""

    labels: Mapping[str, tuple[str, ...]]
    buckets: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Input:
    """The schema of all samples (true without samples), the first sample, and the features.

    `synthetic` is a made-up sample that the model accepts; None if there is none.
    """

    schema: Schema
    example: Any
    features: Features
    synthetic: Any = None


@dataclass(frozen=True)
class Samples:
    """The number of samples that prove the model, and the number that the bundle contains.

    Only the types of `random_fields` are proven.
    """

    count: int
    deterministic: bool
    random_fields: tuple[str, ...]
    shipped: int | None = None
    """None in older bundles, which contain all samples."""

    @property
    def are_there(self) -> bool:
        """Whether the bundle contains any."""
        return bool(self.count if self.shipped is None else self.shipped)


@dataclass(frozen=True)
class Notebook:
    """A notebook of the source, its SHA-256, and the file stem of its executed copies."""

    name: str
    digest: str
    executed: str


@dataclass(frozen=True)
class Source:
    """The git commit and state of the source, None without git, and its notebooks."""

    commit: str | None
    dirty: bool | None
    notebooks: tuple[Notebook, ...]


@dataclass(frozen=True)
class Locks:
    """The digest of the serving lock; None in an unproven bundle."""

    serving: str | None = None


@dataclass(frozen=True)
class Slim:
    """The distributions that the build left out, each with its modules."""

    left_out: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Memory:
    """The peak private memory of the proof in bytes: after loading, after scoring."""

    loaded: int
    scoring: int


@dataclass(frozen=True)
class Baseline:
    """The samples' predictions and features as counted by `metrics.baseline`."""

    predictions: Counts
    inputs: Counts


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A bundle's table of contents; fields with defaults are set once the bundle is proven.

    `parameters` are those of the build, secrets as `***`; `packages` maps names to versions;
    `batch` and `preload` say whether a batch predictor and loading before a fork are proven.
    `digest` covers the contents of the bundle.
    """

    name: str
    version: str
    contract: Literal["function", "pipeline"]
    entry: Entry
    prediction: Prediction
    input: Input
    samples: Samples
    python: str
    source: Source
    locks: Locks
    built_by: str
    created: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    slim: Slim = Slim({})
    batch: bool = False
    preload: bool = False
    memory: Memory = Memory(0, 0)
    baseline: Baseline = Baseline({}, {})
    digest: str = ""

    @property
    def short_digest(self) -> str:
        """The first digits of the digest."""
        return self.digest[:SHORT_DIGITS]


def read_manifest(bundle: Path, *, proven: bool) -> Manifest:
    """Read a bundle's manifest; raises BundleError, also if it must be `proven` and is not."""
    path = bundle / MANIFEST
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        version = document["schema_version"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BundleError(f"{bundle} is not a bundle: {error}") from error
    if version != SCHEMA_VERSION:
        raise BundleError(
            f"{bundle} has schema_version {version}; this service needs {SCHEMA_VERSION}"
        )
    try:
        manifest = decode(Manifest, document)
    except ValueError as error:
        raise BundleError(f"{path} is damaged: {error}") from error
    missing = PROVEN - document.keys()
    if manifest.locks.serving is None:
        missing |= {"locks.serving"}
    if proven and missing:
        raise BundleError(f"{bundle} is not proven: {path} has no {', '.join(sorted(missing))}")
    if proven and not DIGEST.fullmatch(manifest.digest):
        raise BundleError(f"{path} is damaged: digest is not 64 hexadecimal digits")
    for name in _files_of(manifest):
        check_inside(bundle, name)
    return manifest


def _files_of(manifest: Manifest) -> Iterator[Path]:
    """Yield the files and folders that a manifest names, relative to the bundle."""
    for notebook in manifest.source.notebooks:
        yield Path(f"{notebook.executed}.html")
        yield Path("src", notebook.name)
    for folder in (manifest.entry.working_directory, *manifest.entry.import_folders):
        yield Path("src", folder)


def check_inside(bundle: Path, name: str | Path) -> None:
    """Raise BundleError for a file name that points outside the bundle, directly or by a link."""
    try:
        is_inside = (bundle / name).resolve().is_relative_to(bundle.resolve())
    except (ValueError, OSError, RuntimeError):  # a NUL; a name too long; a symlink loop
        is_inside = False
    if not is_inside:
        raise BundleError(f"{bundle} is damaged: {str(name)[:80]!r} points outside the bundle")
