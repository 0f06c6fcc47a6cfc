"""The differences between two bundles, and their JSON form.

`nachlass diff --format json` prints a `Difference`, plus `format_version` and
`identical`: the keys are its fields and those of its dataclasses.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from nachlass_builder.diff.code import CodeChange
from nachlass_builder.proof.compare import Predictions

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
    digest: str


@dataclass(frozen=True)
class Change:
    """An item that was "added" (`old` is None), "removed" (`new` is None) or "changed"."""

    name: str
    change: str
    old: Any
    new: Any


@dataclass(frozen=True)
class FileState:
    """The state of a data file on one side."""

    bytes: int | None
    sha256: str | None
    inside: bool
    written: bool


@dataclass(frozen=True)
class Difference:
    """All differences between two bundles; `identical` if there are none.

    `packages` are the serving packages, by version; `training_packages` are used
    only for training. `data` has a FileState on each side.
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
    def same_bundle(self) -> bool:
        """Whether both sides have the same digest."""
        return self.old.digest == self.new.digest

    @property
    def identical(self) -> bool:
        """Whether nothing differs, predictions within the tolerance of the proof."""
        changes = (self.code, self.data, self.packages, self.training_packages)
        changed = any((*changes, self.python, self.parameters))
        return self.predictions.agree and not changed

    def as_json(self) -> str:
        """Return the difference as JSON."""
        facts = {"format_version": FORMAT_VERSION, "identical": self.identical, **asdict(self)}
        return json.dumps(facts, indent=2)
