"""The part of a bundle's manifest that serving reads.

docs/manifest.schema.json describes all of it, for the builder and the service.
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
"""What a bundle has once it is proven: the proof itself reads bundles without."""

DIGEST = re.compile("[0-9a-f]{64}")
SHORT_DIGITS = 12
"""The digits of a digest that the page, the log and the metrics show; the builder shows as many."""

Schema = Mapping[str, Any] | bool
"""A JSON Schema."""
Counts = dict[str, dict[str, float]]
"""How often each value occurs, by field or feature; numbers by the interval that they are in."""


@dataclass(frozen=True)
class Entry:
    """How the model is loaded; folders are below the bundle's `src/`.

    `predictor` is the place where it is defined, None for a pipeline; `cells` names
    the cells of code objects by the files that the kernel gave them.
    """

    predictor: str | None
    validator: bool
    working_directory: str
    import_folders: tuple[str, ...]
    cells: Mapping[str, str]


@dataclass(frozen=True)
class Prediction:
    """The fields of predictions: each has labels, or upper bounds of buckets, or both.

    `ladder` are the bounds of a field that no sample shows.
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
    """What a sample is: the schema that all samples meet (true without any), and the first."""

    schema: Schema
    example: Any
    features: Features


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Notebook:
    """A notebook of the source, its SHA-256, and the stem of its executed copies."""

    name: str
    digest: str
    executed: str


@dataclass(frozen=True)
class Source:
    """What git says of the source, None where there is no git, and its notebooks."""

    commit: str | None
    dirty: bool | None
    notebooks: tuple[Notebook, ...]


@dataclass(frozen=True)
class Locks:
    """The digest of the lock that the bundle is served with; None before it is proven."""

    serving: str | None = None


@dataclass(frozen=True)
class Slim:
    """The distributions that are left out, each with its modules."""

    left_out: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Memory:
    """The most memory that the proof had for itself, in bytes: after loading, after scoring."""

    loaded: int
    scoring: int


@dataclass(frozen=True)
class Baseline:
    """How `metrics.baseline` counts the samples' predictions and features."""

    predictions: Counts
    inputs: Counts


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A bundle's table of contents; what has a default is there once the bundle is proven.

    `parameters` are those that the build was given, secrets as `***`; `packages` are versions
    by name, `batch` and `preload` say whether a batch predictor and a load before a fork are
    proven. `digest` is of all that is in the bundle.
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
    """The manifest of a bundle, which is to be `proven` or may be unproven; raises BundleError."""
    path = bundle / MANIFEST
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        version = document["schema_version"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BundleError(f"{bundle} is not a bundle: {error}") from error
    if version != SCHEMA_VERSION:
        raise BundleError(
            f"{bundle} has schema_version {version}; this service reads {SCHEMA_VERSION}"
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
    """The files and folders that a manifest names, relative to the bundle."""
    for notebook in manifest.source.notebooks:
        yield Path(f"{notebook.executed}.html")
        yield Path("src", notebook.name)
    for folder in (manifest.entry.working_directory, *manifest.entry.import_folders):
        yield Path("src", folder)


def check_inside(bundle: Path, name: str | Path) -> None:
    """Raise BundleError for a name of a file that leads out of the bundle, by itself or a link."""
    try:
        is_inside = (bundle / name).resolve().is_relative_to(bundle.resolve())
    except (ValueError, OSError, RuntimeError):  # a NUL; a name too long; a loop of links
        is_inside = False
    if not is_inside:
        raise BundleError(f"{bundle} is damaged: {str(name)[:80]!r} leads out of it")
