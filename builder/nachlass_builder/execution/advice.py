"""Facts about the build that may explain why the notebook's code fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nachlass_builder.foundation.errors import Place


def _unknown(*_: object) -> None:
    """Return no advice."""


@dataclass(frozen=True)
class Advice:
    """Explanations that need more than the notebook; each returns None if it has none.

    `missing_file` says why a file is missing, by its path relative to the source's root;
    `missing_requirements` says what to add to the requirements after importing a dotted name
    failed at a place; `newer_versions` says what to do if the code is older than the installed
    packages.
    """

    missing_file: Callable[[str], str | None] = _unknown
    missing_requirements: Callable[[str, Place], str | None] = _unknown
    newer_versions: Callable[[], str | None] = _unknown


NO_ADVICE = Advice()
