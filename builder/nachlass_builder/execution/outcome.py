"""What the capture in the kernel gives: the outcome, or why there is none.

Its side of these forms: `nachlass_kernel.capture`, `scoring` and `survey`.
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
    """A sample for which the model fails: its number in its variable, and why.

    `code` and `message` are those of the service's error, `sample_type` is the Python
    type, `raised` what the model raised, if anything.
    """

    number: int
    code: str
    message: str
    sample_type: str
    raised: Raised | None


@dataclass(frozen=True)
class AlikeFailures:
    """How many samples fail in one way, and the first of them."""

    count: int
    first: SampleFailure


@dataclass(frozen=True)
class ScoredSamples:
    """The samples that were scored.

    `numbers` are of those that succeed, `total` counts the entries of the variable,
    `scored` those tried; `absent` says why there are none. `index` names the index of a
    frame or series. Of `random_fields` two scorings differ.
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
    """The variable that weighs most in a large pickle, and the function that uses it."""

    name: str
    function: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Pickled:
    """What is pickled, and what its author may not know of it."""

    pickle_bytes: int
    validator: bool
    holds_build_path: bool
    import_folders: tuple[str, ...]
    samples: ScoredSamples
    paths: tuple[AbsolutePath, ...] = ()
    largest: LargestVariable | None = None


@dataclass(frozen=True)
class Kept:
    """What a notebook before the last of a pipeline gives: execution counts by the cells' files."""

    cells: Mapping[str, int]


@dataclass(frozen=True)
class Outcome(Kept):
    """What the last notebook gives."""

    pickled: Pickled


@dataclass(frozen=True)
class Refusal:
    """Why there is nothing to serve; which of the facts there are depends on the `code`."""

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
    """What the notebooks define and read.

    `left_out` says which samples fail, `cells` has the places of the cells by the files
    of their code objects.
    """

    pickled: Pickled
    left_out: tuple[str, ...]
    cells: Mapping[str, str]
    data: Data


def read_outcome(path: Path, expected: type[Given]) -> Given | Refusal:
    """Read what the capture has written."""
    document = json.loads(path.read_text(encoding="utf-8"))
    if error := document.get("error"):
        return msgspec.convert(error, Refusal)
    return msgspec.convert(document, expected)
