"""The manifest, a bundle's table of contents, in its four states during a build.

`Draft` has the facts known after the cells have run, `Unproven` adds the serving environment,
`Proven` the results of the proof, and `Manifest` the digest of the finished bundle.
docs/manifest.schema.json describes the form on disk; the service has a separate reader.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
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
    """How to load the model; paths are relative to the bundle's `src/`."""

    model: Literal["model.pickle", "stages.json"]
    """The file with the model: a pickle, or the list of a pipeline's stages."""
    predictor: str | None
    """The place of the predictor's definition; null for a pipeline."""
    validator: bool
    """Whether there is a validator."""
    working_directory: str
    """The working directory of the cells and of the service."""
    import_folders: tuple[str, ...]
    """The folders to import the source's modules from."""
    cells: Mapping[str, str]
    """Cells by the file names that the kernel gave to their code."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The fields of predictions: each has labels, upper bounds of buckets, or both."""

    kind: str
    """`label`, `number`, `mixed`, or `object` for predictions that are lists or objects."""
    fields: tuple[str, ...]
    """The names of the fields, such as `scores.a`; a plain prediction is one with an empty name."""
    labels: Mapping[str, tuple[str, ...]]
    """The labels to count, by field."""
    buckets: Mapping[str, tuple[float, ...]]
    """The upper bounds of the histogram's buckets, by field."""
    ladder: tuple[float, ...]
    """The upper bounds for fields that occur in no sample."""


@dataclass(frozen=True, kw_only=True)
class Features:
    """The features of samples: each has labels or upper bounds of buckets."""

    labels: Mapping[str, tuple[str, ...]]
    """The values to count, by feature."""
    buckets: Mapping[str, tuple[float, ...]]
    """The upper bounds of the bins, by feature: deciles of the samples."""


@dataclass(frozen=True, kw_only=True)
class Input:
    """The input of the predictor."""

    schema: Schema
    """The JSON Schema that all samples meet; true without samples."""
    example: Any
    """The first sample; null without samples."""
    features: Features
    """The features that are observed for drift."""
    synthetic: Any = None
    """A sample that the build made up and that the model accepts; null if there is none."""


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The samples that proved the model."""

    count: int
    """The number of samples that were scored."""
    deterministic: bool
    """Whether scoring a sample twice gave equal predictions."""
    random_fields: tuple[str, ...]
    """The fields of the predictions that differed: only their types are proven."""
    shipped: int | None = None
    """The number of samples in the bundle; null in bundles of earlier versions, which ship all."""

    @property
    def are_there(self) -> bool:
        """Whether the bundle has samples."""
        return bool(self.count if self.shipped is None else self.shipped)


@dataclass(frozen=True, kw_only=True)
class Locks:
    """The digests of what a build resolves and installs."""

    training: str
    """The lock of the environment that executed the notebook."""
    resolution: str
    """The inputs of its resolution: requirements, indexes, Python."""
    service: str
    """The wheel of the service."""


@dataclass(frozen=True, kw_only=True)
class BothLocks(Locks):
    """The digests of what a build resolves and installs, with the serving lock."""

    serving: str
    """The lock of the environment that serves the model."""


@dataclass(frozen=True, kw_only=True)
class NotebookFile:
    """A notebook of the source."""

    name: str
    """Its path in the source."""
    digest: str
    """Its SHA-256."""
    executed: str
    """The file name of its executed copies in the bundle, without suffix."""


@dataclass(frozen=True, kw_only=True)
class Revision:
    """The origin of the source; null where unknown."""

    origin: str | None
    """The URL that was cloned."""
    commit: str | None
    """The git commit."""
    dirty: bool | None
    """Whether the source has changes that are not committed."""
    described: str | None
    """The output of `git describe`."""


@dataclass(frozen=True, kw_only=True)
class SourceRevision(Revision):
    """The origin of the source, null where unknown, and its notebooks."""

    notebooks: tuple[NotebookFile, ...]
    """The notebooks in the order in which they ran."""


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """A file that the cells read, as it was when they first read it."""

    path: str
    """Its path, relative to the source if it is inside."""
    inside: bool
    """Whether it is part of the source."""
    written: bool
    """Whether the cells wrote it before they read it."""
    bytes: int | None
    """Its size; null for a file that looks like a secret."""
    modified_ns: int | None
    """Its modification time in ns since 1970; null inside the source and for secrets."""
    sha256: str | None
    """The SHA-256 of what was read; null if there is none."""
    reason: str | None
    """Why there is no digest."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """The files that the cells read."""

    files: tuple[DataFile, ...]
    """At most 1,000 files."""
    more: int
    """The number of files that are not listed."""
    problems: tuple[str, ...]
    """Why the list may be incomplete."""


@dataclass(frozen=True, kw_only=True)
class Slim:
    """The choice of packages for the serving environment."""

    all_because: str | None
    """Why all of the user's requirements are kept; null if some could be left out."""
    kept: Mapping[str, str]
    """The reason for each kept package, by name."""
    left_out: Mapping[str, tuple[str, ...]]
    """The modules of each package that is left out, by name."""


@dataclass(frozen=True, kw_only=True)
class MemoryUse:
    """The peak private memory during the proof in bytes, rounded up to be equal in every build."""

    loaded: int
    """After the model was loaded."""
    scoring: int
    """After the samples were scored."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The samples as the service counts them: what live traffic is compared with."""

    predictions: Counts
    """The counts of values, by field of the predictions."""
    inputs: Counts
    """The counts of values, by feature."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The facts known after the cells have run."""

    schema_version: Literal[1] = SCHEMA_VERSION
    """The version of this format."""
    name: str
    """The name of the model."""
    version: str
    """The version of the model: git's description of the source, else digits of `key`."""
    contract: Literal["function", "pipeline"]
    """Whether the notebook defines a function, or several notebooks are stages of a pipeline."""
    entry: Entry
    """How to load the model."""
    prediction: Prediction
    """The fields of predictions, and how to count them."""
    input: Input
    """The form of samples."""
    samples: Samples
    """The samples that proved the model."""
    python: str
    """The version of Python that executed the notebook."""
    locks: Locks
    """The digests of the locks."""
    source: SourceRevision
    """The origin of the source."""
    data: Data
    """The files that the cells read."""
    parameters: Mapping[str, str]
    """The parameters of the build, secrets as `***`."""
    built_by: str
    """The version of Nachlass."""
    key: str
    """A digest of the build's inputs: a build with an equal one has nothing to do."""
    created: str
    """The time of the source, mostly that of the commit: ISO 8601, in UTC."""

    def served_with(self, packages: Mapping[str, str], lock: str, slim: Slim) -> Unproven:
        """Add the serving environment: versions by name, the lock's digest, and the reasons."""
        locks = BothLocks(**vars(self.locks), serving=lock)
        return Unproven(**{**vars(self), "locks": locks}, packages=packages, slim=slim)


@dataclass(frozen=True, kw_only=True)
class Unproven(Draft):
    """A draft with the serving environment."""

    locks: BothLocks
    """The digests of the locks."""
    packages: Mapping[str, str]
    """The packages of the serving environment: versions by name."""
    slim: Slim
    """Why each package is there, and what was left out."""

    def proven(
        self, *, batch: bool, preload: bool, memory: MemoryUse, baseline: Baseline, synthetic: Any
    ) -> Proven:
        """Add the results of the proof."""
        known = {**vars(self), "input": replace(self.input, synthetic=synthetic)}
        return Proven(**known, batch=batch, preload=preload, memory=memory, baseline=baseline)


@dataclass(frozen=True, kw_only=True)
class Proven(Unproven):
    """A manifest with the results of the proof."""

    batch: bool
    """Whether a batch predictor is proven."""
    preload: bool
    """Whether the model may be loaded before workers are forked."""
    memory: MemoryUse
    """The memory that the proof needed."""
    baseline: Baseline
    """The samples' predictions and features."""

    def finished(self, digest: str) -> Manifest:
        """Add the digest of the complete bundle."""
        return Manifest(**vars(self), digest=digest)


@dataclass(frozen=True, kw_only=True)
class Manifest(Proven):
    """The manifest of a finished bundle."""

    digest: Digest
    """A SHA-256 over this document and all files of the bundle: contents.py says how."""


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
