"""What two bundles can differ in, and its form for programs. Builder environment.

`Difference` is what `nachlass diff --format json` prints, beside `format_version`
and `identical`: its fields, and those of the dataclasses in it, are the keys.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from nachlass_builder.diff_code import CodeChange

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Side:
    """One of the two bundles."""

    bundle: str
    name: str
    version: str
    commit: str | None
    dirty: bool | None
    created: str
    built_by: str


@dataclass(frozen=True)
class Change:
    """A thing that was "added" (`old` is None), "removed" (`new` is None) or "changed"."""

    name: str
    change: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Example:
    """A sample that is answered otherwise: its line in the old bundle's samples.jsonl, from 0.

    The sample itself is data, and not shown. `error` says why there is no new answer.
    """

    index: int
    old: Any
    new: Any
    error: str | None


@dataclass(frozen=True)
class Predictions:
    """The new bundle's answers to the old one's samples, beside the old answers.

    `reason` says why they were not compared: there are none, or the new model
    does not answer at all, and all have failed. `close` are equal within the
    tolerance of the proof, `failed` were refused or raised. `largest` is the
    largest difference of two numbers relative to the larger. Unless both models
    are `deterministic`, differences prove nothing.
    """

    reason: str | None
    deterministic: bool
    count: int = 0
    identical: int = 0
    close: int = 0
    different: int = 0
    failed: int = 0
    largest: float | None = None
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Difference:
    """All that two bundles differ in; `identical` when that is nothing.

    `packages` are those that serve, by version; `training_packages` those that
    only train. `data` has {"bytes", "sha256", "inside", "written"} on each side.
    """

    old: Side
    new: Side
    code: tuple[CodeChange, ...]
    data: tuple[Change, ...]
    packages: tuple[Change, ...]
    training_packages: tuple[Change, ...]
    python: tuple[Change, ...]
    parameters: tuple[Change, ...]
    predictions: Predictions

    @property
    def identical(self) -> bool:
        """Whether nothing differs, predictions within the tolerance of the proof."""
        changes = (self.code, self.data, self.packages, self.training_packages)
        answers = self.predictions
        moved = answers.failed or (answers.different and answers.deterministic)
        return not (any((*changes, self.python, self.parameters)) or moved)

    def as_json(self) -> str:
        """The difference for programs."""
        facts = {"format_version": FORMAT_VERSION, "identical": self.identical, **asdict(self)}
        return json.dumps(facts, indent=2)
