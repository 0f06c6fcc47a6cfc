"""The result of the capture in the kernel: the outcome, or why there is none.

The kernel's side of these structures is in `nachlass_kernel.capture`, `scoring` and `survey`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from nachlass_builder.bundle.manifest import Data
from nachlass_builder.execution.raised import Frame, Raised

Given = TypeVar("Given", bound="Kept")


@dataclass(frozen=True)
class SampleFailure:
    """A sample for which the model fails: its index in its variable, and the failure.

    `code` and `message` are those of the service's error, `sample_type` is the Python type,
    `raised` the model's exception, if any.
    """

    number: int
    code: str
    message: str
    sample_type: str
    raised: Raised | None


@dataclass(frozen=True)
class AlikeFailures:
    """The number of samples that fail in one way, and the first of them."""

    count: int
    first: SampleFailure


@dataclass(frozen=True)
class ScoredSamples:
    """The samples that were scored.

    `numbers` are the indices of those that succeed, `total` counts the entries of the variable,
    `scored` those tried; `absent` says why there are none. `index` names the index of a frame or
    series. `random_fields` are the fields that differ between two scorings.
    """

    numbers: tuple[int, ...]
    total: int
    absent: str | None
    scored: int
    failures: tuple[AlikeFailures, ...]
    index: str | None
    random_fields: tuple[str, ...]


@dataclass(frozen=True)
class AbsolutePath:
    """A path of this machine in the pickle: the code that holds it, or the variable's name."""

    path: str
    frame: Frame | None = None
    name: str | None = None


@dataclass(frozen=True)
class LargestVariable:
    """The largest variable in a large pickle, and the function that uses it."""

    name: str
    function: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Pickled:
    """The properties of the pickle, and its unexpected contents."""

    pickle_bytes: int
    validator: bool
    holds_build_path: bool
    import_folders: tuple[str, ...]
    samples: ScoredSamples
    paths: tuple[AbsolutePath, ...] = ()
    largest: LargestVariable | None = None


@dataclass(frozen=True)
class Kept:
    """The result of a pipeline's earlier notebook: execution counts by cell file."""

    cells: Mapping[str, int]


@dataclass(frozen=True)
class Outcome(Kept):
    """The result of the last notebook."""

    pickled: Pickled


@dataclass(frozen=True)
class Refusal:
    """Why there is nothing to serve; which fields are set depends on `code`."""

    code: str
    message: str
    name: str = ""
    function: str = ""
    type: str = ""
    path: str = ""
    remedy: str | None = None
    failures: tuple[AlikeFailures, ...] = ()
    scored: int = 0
    given: int = 0


@dataclass(frozen=True)
class Captured:
    """The results of all notebooks.

    `left_out` says which samples fail; `cells` maps the files of code objects to the places of
    cells.
    """

    pickled: Pickled
    left_out: tuple[str, ...]
    cells: Mapping[str, str]
    data: Data


def read_outcome(path: Path, expected: type[Given]) -> Given | Refusal:
    """Read the outcome that the capture wrote."""
    document = json.loads(path.read_text(encoding="utf-8"))
    if error := document.get("error"):
        return msgspec.convert(error, Refusal)
    return msgspec.convert(document, expected)
