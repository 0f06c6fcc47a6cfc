"""What a build knows that may explain why the notebook's code fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nachlass_builder.foundation.errors import Place


def _unknown(*_: object) -> None:
    """Nothing is known."""


@dataclass(frozen=True)
class Advice:
    """Answers that need more than the notebook; each is None where there is nothing to say.

    `missing_file` says why a file, named from the source's root, is not there,
    `missing_requirements` what to add to the requirements when importing a dotted name failed
    at a place, `newer_versions` what to do if the code is older than what is installed.
    """

    missing_file: Callable[[str], str | None] = _unknown
    missing_requirements: Callable[[str, Place], str | None] = _unknown
    newer_versions: Callable[[], str | None] = _unknown


NO_ADVICE = Advice()
