"""The manifest, a bundle's table of contents, in the four states that a build takes it through.

A `Draft` is what is known once the cells have run, `Unproven` what is to be served
with, `Proven` what the proof has shown as well, and `Manifest` has the digest of the finished
bundle. docs/manifest.schema.json is the form on disk; the service has a reader of its own. It
is one document, and so one file.
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
"""How often each value occurs, by field or feature."""

Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
"""A SHA-256 in hexadecimal."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """How the model is loaded; paths are below the bundle's `src/`.

    `predictor` is the place where it is defined, None for a pipeline; `cells` names
    the cells of code objects by the files that the kernel gave them.
    """

    model: Literal["model.pickle", "stages.json"]
    predictor: str | None
    validator: bool
    working_directory: str
    import_folders: tuple[str, ...]
    cells: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The fields of predictions: each has labels, or upper bounds of buckets, or both.

    `ladder` are the bounds of a field that no sample shows.
    """

    kind: str
    fields: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    buckets: Mapping[str, tuple[float, ...]]
    ladder: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Features:
    """The features of samples: each has labels, or upper bounds of buckets."""

    labels: Mapping[str, tuple[str, ...]]
    buckets: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, kw_only=True)
class Input:
    """What a sample is: the schema that all samples meet (true without any), and the first."""

    schema: Schema
    example: Any
    features: Features


@dataclass(frozen=True, kw_only=True)
class Samples:
    """How many samples proved the model, and how many of them are in the bundle.

    Of `random_fields` only the types are proven.
    """

    count: int
    deterministic: bool
    random_fields: tuple[str, ...]
    shipped: int | None = None
    """None in bundles that were built before it was told: all."""

    @property
    def are_there(self) -> bool:
        """Whether the bundle has any."""
        return bool(self.count if self.shipped is None else self.shipped)


@dataclass(frozen=True, kw_only=True)
class Locks:
    """Digests of the training lock, of what decided it, and of the service's wheel."""

    training: str
    resolution: str
    service: str


@dataclass(frozen=True, kw_only=True)
class BothLocks(Locks):
    """With the digest of the serving lock."""

    serving: str


@dataclass(frozen=True, kw_only=True)
class NotebookFile:
    """A notebook of the source, its SHA-256, and the stem of its executed copies."""

    name: str
    digest: str
    executed: str


@dataclass(frozen=True, kw_only=True)
class Revision:
    """The URL that was cloned, and what git says of the source; None where there is none."""

    origin: str | None
    commit: str | None
    dirty: bool | None
    described: str | None


@dataclass(frozen=True, kw_only=True)
class SourceRevision(Revision):
    """With the notebooks, in the order in which they ran."""

    notebooks: tuple[NotebookFile, ...]


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """A file that the cells read; `reason` says why there is no digest."""

    path: str
    inside: bool
    written: bool
    bytes: int | None
    modified_ns: int | None
    sha256: str | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Data:
    """The files that the cells read, those among `more` not listed."""

    files: tuple[DataFile, ...]
    more: int
    problems: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Slim:
    """Why distributions are kept, and those that are not, each with its modules.

    `all_because` says why nothing is left out of what the user requires.
    """

    all_because: str | None
    kept: Mapping[str, str]
    left_out: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class MemoryUse:
    """The most memory that the proof had, without files, in bytes: loaded, and after scoring.

    It is rounded up, so that builds agree.
    """

    loaded: int
    scoring: int


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """How the service counts the samples' predictions and features, by field and value."""

    predictions: Counts
    inputs: Counts


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What is known once the cells have run.

    `key` is equal for builds that would give the same, `created` is the time of the
    source as source_time.py has it, ISO 8601 in UTC.
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
        """The manifest with its serving environment: versions by name, and the lock's digest."""
        locks = BothLocks(**vars(self.locks), serving=lock)
        return Unproven(**{**vars(self), "locks": locks}, packages=packages, slim=slim)


@dataclass(frozen=True, kw_only=True)
class Unproven(Draft):
    """A draft, and the distributions that it is to be served with, by name and version."""

    locks: BothLocks
    packages: Mapping[str, str]
    slim: Slim

    def proven(
        self, *, batch: bool, preload: bool, memory: MemoryUse, baseline: Baseline
    ) -> Proven:
        """The manifest of a bundle that is proven."""
        return Proven(**vars(self), batch=batch, preload=preload, memory=memory, baseline=baseline)


@dataclass(frozen=True, kw_only=True)
class Proven(Unproven):
    """With what the proof has shown: whether a batch predictor and a load before a fork work."""

    batch: bool
    preload: bool
    memory: MemoryUse
    baseline: Baseline

    def finished(self, digest: str) -> Manifest:
        """The manifest of a bundle whose files are all there."""
        return Manifest(**vars(self), digest=digest)


@dataclass(frozen=True, kw_only=True)
class Manifest(Proven):
    """What a finished bundle has; `digest` is of its files and this document: see contents.py."""

    digest: Digest


def decode(document: Any) -> Manifest:
    """A finished bundle's manifest, from JSON; raises ValueError, which names the field."""
    return msgspec.convert(document, Manifest)


def load_manifest(path: Path) -> Manifest:
    """The manifest of the bundle at `path`; raises OSError or ValueError."""
    return decode(json.loads((path / MANIFEST).read_text(encoding="utf-8")))


def read_manifest(path: Path) -> Manifest | None:
    """The manifest of the bundle at `path`; None when there is none that this version reads."""
    try:
        return load_manifest(path)
    except (OSError, ValueError):
        return None


def write_manifest(path: Path, manifest: Draft) -> None:
    """Write the manifest in one move."""
    partial = path / f"{MANIFEST}.partial"
    text = json.dumps(asdict(manifest), indent=2, ensure_ascii=False, allow_nan=False)
    # A lone surrogate is legal in JSON as an escape alone.
    partial.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
    partial.replace(path / MANIFEST)
