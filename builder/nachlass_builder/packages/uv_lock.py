"""The versions and hashes in a project's uv.lock."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Pep508
from packaging.utils import canonicalize_name

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.foundation.process import Deadline, run
from nachlass_builder.packages.uv_program import uv_program
from nachlass_builder.requirements.requirement import Requirement
from nachlass_builder.requirements.requirement_hashes import Hashed, split_hashes
from nachlass_builder.requirements.requirements_txt import logical_lines

EXPORT_OPTIONS = (
    "--frozen",
    "--offline",
    "--quiet",
    "--all-extras",
    "--no-emit-project",
    "--no-header",
    "--no-annotate",
)


@dataclass(frozen=True)
class UvLock:
    """The pins of a uv.lock as constraints, and their hashes."""

    pins: tuple[str, ...] = ()
    hashes: tuple[Hashed, ...] = ()


def read_uv_lock(project: Path, overridden: Collection[str], deadline: Deadline) -> UvLock:
    """Read the contents of a uv.lock, except the `overridden` distributions."""
    completed = run(
        [uv_program(), "export", *EXPORT_OPTIONS],
        doing="reading uv.lock",
        deadline=deadline,
        cwd=project,
    )
    if completed.status != 0:
        raise RequirementsError(
            "uv.lock cannot be read",
            place=Place("uv.lock"),
            details=completed.stderr.strip() or None,
            remedy="run `uv lock` again, or remove uv.lock",
        )
    lines = [split_hashes(line) for _number, line in logical_lines(completed.stdout)]
    pins = [(pin, digests) for pin, digests in lines if _name(pin) not in {None, *overridden}]
    place = Place("uv.lock")
    return UvLock(
        tuple(pin for pin, _digests in pins),
        tuple(Hashed(Requirement(pin, place), digests) for pin, digests in pins if digests),
    )


def _name(line: str) -> str | None:
    """Return the distribution that a line pins; None for options and local folders."""
    try:
        return canonicalize_name(Pep508(line).name)
    except InvalidRequirement:
        return None
