"""The manifest, a bundle's table of contents, in its four states during a build.

`Draft` has the facts known after the cells have run, `Unproven` adds the serving environment,
`Proven` the results of the proof, and `Manifest` the digest of the finished bundle.
docs/manifest.schema.json describes the form on disk; the service has a separate reader.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

MANIFEST = "manifest.json"
SCHEMA_VERSION: Literal[1] = 1

Schema = Mapping[str, Any] | bool
"""A JSON Schema."""

Counts = Mapping[str, Mapping[str, int]]
"""Counts of values, by field or feature."""

Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
"""A SHA-256 in hexadecimal."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """How to load the model; paths are relative to the bundle's `src/`.

    `predictor` is the place of its definition, None for a pipeline; `cells` maps the file names
    of code objects from the kernel to cells.
    """

    model: Literal["model.pickle", "stages.json"]
    predictor: str | None
    validator: bool
    working_directory: str
    import_folders: tuple[str, ...]
    cells: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The fields of predictions: each has labels, upper bounds of buckets, or both.

    `ladder` are the bucket bounds for fields that no sample has.
    """

    kind: str
    fields: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    buckets: Mapping[str, tuple[float, ...]]
    ladder: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Features:
    """The features of samples: each has labels or upper bounds of buckets."""

    labels: Mapping[str, tuple[str, ...]]
    buckets: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, kw_only=True)
class Input:
    """The input: the schema of all samples (true without any), and the first sample."""

    schema: Schema
    example: Any
    features: Features


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The number of samples that proved the model, and the number shipped in the bundle.

    For `random_fields`, only the types are proven.
    """

    count: int
    deterministic: bool
    random_fields: tuple[str, ...]
    shipped: int | None = None
    """None in bundles of earlier versions, which ship all."""

    @property
    def are_there(self) -> bool:
        """Whether the bundle has samples."""
        return bool(self.count if self.shipped is None else self.shipped)


@dataclass(frozen=True, kw_only=True)
class Locks:
    """Digests of the training lock, of the inputs of its resolution, and of the service's wheel."""

    training: str
    resolution: str
    service: str


@dataclass(frozen=True, kw_only=True)
class BothLocks(Locks):
    """The locks, with the digest of the serving lock."""

    serving: str


@dataclass(frozen=True, kw_only=True)
class NotebookFile:
    """A notebook of the source, its SHA-256, and the stem of its executed copies."""

    name: str
    digest: str
    executed: str


@dataclass(frozen=True, kw_only=True)
class Revision:
    """The cloned URL, and git's description of the source; None where unknown."""

    origin: str | None
    commit: str | None
    dirty: bool | None
    described: str | None


@dataclass(frozen=True, kw_only=True)
class SourceRevision(Revision):
    """The revision, with the notebooks in the order in which they ran."""

    notebooks: tuple[NotebookFile, ...]


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """A file that the cells read; `reason` says why it has no digest."""

    path: str
    inside: bool
    written: bool
    bytes: int | None
    modified_ns: int | None
    sha256: str | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Data:
    """The files that the cells read; `more` counts those not listed."""

    files: tuple[DataFile, ...]
    more: int
    problems: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Slim:
    """The kept distributions with reasons, and the left-out ones with their modules.

    `all_because` says why all of the user's requirements are kept.
    """

    all_because: str | None
    kept: Mapping[str, str]
    left_out: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class MemoryUse:
    """The proof's peak memory in bytes, without files: after loading, and after scoring.

    The values are rounded up, to be equal in every build.
    """

    loaded: int
    scoring: int


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The service's counts of the samples' predictions and features, by field and value."""

    predictions: Counts
    inputs: Counts


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The facts known after the cells have run.

    `key` is equal for builds with equal inputs; `created` is the time of the source from
    source_time.py, in ISO 8601 and UTC.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str
    version: str
    contract: Literal["function", "pipeline"]
    entry: Entry
    prediction: Prediction
    input: Input
    samples: Samples
    python: str
    locks: Locks
    source: SourceRevision
    data: Data
    parameters: Mapping[str, str]
    built_by: str
    key: str
    created: str

    def served_with(self, packages: Mapping[str, str], lock: str, slim: Slim) -> Unproven:
        """Add the serving environment: versions by name, the lock's digest, and the reasons."""
        locks = BothLocks(**vars(self.locks), serving=lock)
        return Unproven(**{**vars(self), "locks": locks}, packages=packages, slim=slim)


@dataclass(frozen=True, kw_only=True)
class Unproven(Draft):
    """A draft with the serving environment's distributions, by name and version."""

    locks: BothLocks
    packages: Mapping[str, str]
    slim: Slim

    def proven(
        self, *, batch: bool, preload: bool, memory: MemoryUse, baseline: Baseline
    ) -> Proven:
        """Add the results of the proof."""
        return Proven(**vars(self), batch=batch, preload=preload, memory=memory, baseline=baseline)


@dataclass(frozen=True, kw_only=True)
class Proven(Unproven):
    """A manifest with the proof's results, such as whether batches and preloading work."""

    batch: bool
    preload: bool
    memory: MemoryUse
    baseline: Baseline

    def finished(self, digest: str) -> Manifest:
        """Add the digest of the complete bundle."""
        return Manifest(**vars(self), digest=digest)


@dataclass(frozen=True, kw_only=True)
class Manifest(Proven):
    """The manifest of a finished bundle; `digest` covers it and the files: see contents.py."""

    digest: Digest


def decode(document: Any) -> Manifest:
    """Convert JSON data to a finished bundle's manifest; raise ValueError, with the field."""
    return msgspec.convert(document, Manifest)


def load_manifest(path: Path) -> Manifest:
    """Load the manifest of the bundle at `path`; raise OSError or ValueError."""
    return decode(json.loads((path / MANIFEST).read_text(encoding="utf-8")))


def read_manifest(path: Path) -> Manifest | None:
    """Load the manifest of the bundle at `path`; return None if this version cannot read it."""
    try:
        return load_manifest(path)
    except (OSError, ValueError):
        return None


def write_manifest(path: Path, manifest: Draft) -> None:
    """Write the manifest atomically."""
    partial = path / f"{MANIFEST}.partial"
    text = json.dumps(asdict(manifest), indent=2, ensure_ascii=False, allow_nan=False)
    # JSON allows a lone surrogate only as an escape.
    partial.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
    partial.replace(path / MANIFEST)
