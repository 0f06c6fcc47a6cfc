"""Remembers proven subsets."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from nachlass_builder.slim.training import EARLIER_BUILD, NEEDED, SERVICE, Subset, Training


@dataclass(frozen=True)
class Memory:
    """The subset last proven with a lock, which keeps the environment when only a cell changes.

    Other `named` distributions have another subset.
    """

    file: Path
    named: tuple[str, ...]

    def read(self, training: Training, *, careful: bool) -> dict[str, str]:
        """Return the remembered subset; empty if none applies.

        A subset decided with samples is not `careful` enough without.
        """
        try:
            kept = json.loads(self.file.read_text(encoding="utf-8"))
            why: dict[str, str] = kept["why"]
            holds = kept["named"] == list(self.named) and (kept["careful"] or not careful)
            is_whole = training.closure(why).keys() == why.keys()
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}
        reasons = {
            name: reason if reason == SERVICE or reason.startswith(NEEDED) else EARLIER_BUILD
            for name, reason in why.items()
        }
        return reasons if holds and is_whole else {}

    def write(self, subset: Subset, *, careful: bool) -> None:
        """Remember a proven subset."""
        kept = {"why": dict(subset.why), "named": list(self.named), "careful": careful}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        partial = self.file.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(kept, indent=2), encoding="utf-8")
        partial.replace(self.file)

    def forget(self) -> None:
        """Forget a subset that was not enough."""
        self.file.unlink(missing_ok=True)
