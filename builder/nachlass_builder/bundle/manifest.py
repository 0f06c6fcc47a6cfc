"""The manifest, a bundle's table of contents, in the three states that a build takes it through.

A `Draft` is what is known once the cells have run, `Unproven` what is to be served
with, `Manifest` what the proof has shown as well. docs/manifest.schema.json is the
form on disk; the service has a reader of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import msgspec

SCHEMA_VERSION = 1

Counts = Mapping[str, Mapping[str, float]]
"""By field and value."""


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
    """What a sample is: a JSON Schema that all samples meet (true without any), and the first."""

    schema: Mapping[str, Any] | bool
    example: Any
    features: Features


@dataclass(frozen=True, kw_only=True)
class Samples:
    """How many samples are recorded; of `random_fields` only the types are proven."""

    count: int
    deterministic: bool
    random_fields: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Locks:
    """Digests of the locks; `resolution` is the digest of what decided them."""

    training: str
    serving: str | None = None
    resolution: str


@dataclass(frozen=True, kw_only=True)
class NotebookFile:
    """A notebook of the source, its SHA-256, and the stem of its executed copies."""

    name: str
    digest: str
    executed: str


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The source, as git knows it; None where there is no git."""

    origin: str
    commit: str | None
    dirty: bool | None
    described: str | None
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
class Memory:
    """Largest resident sizes of the proof, in bytes: after loading, after scoring."""

    loaded: int
    scoring: int


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """How the service counts the samples' predictions and features."""

    predictions: Counts
    inputs: Counts


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What is known once the cells have run; `created` is ISO 8601, `key` makes a build unchanged."""

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
    source: Origin
    data: Data
    parameters: Mapping[str, str]
    built_by: str
    key: str
    created: str


@dataclass(frozen=True, kw_only=True)
class Unproven(Draft):
    """A draft, and the distributions that it is to be served with, by name and version."""

    packages: Mapping[str, str]
    slim: Slim


@dataclass(frozen=True, kw_only=True)
class Manifest(Unproven):
    """What a finished bundle has: whether batches and a load before the fork are proven."""

    batch: bool
    preload: bool
    memory: Memory
    baseline: Baseline


def with_more(kind: type[Draft], before: Draft, **more: Any) -> Any:
    """The next state of a manifest."""
    known = {field.name: getattr(before, field.name) for field in fields(before)}
    return kind(**{**known, **more})


def as_json(manifest: Draft) -> dict[str, Any]:
    """A manifest as it stands on disk."""
    return asdict(manifest)


def decode(text: bytes) -> Manifest:
    """A finished bundle's manifest; raises msgspec.DecodeError, a ValueError."""
    return msgspec.json.decode(text, type=Manifest)


def read(path: Path) -> Manifest:
    """As `decode`, of a file."""
    return decode(path.read_bytes())
