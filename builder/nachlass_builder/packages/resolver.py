"""Queries to uv: which requirements fit together, and which versions exist."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from nachlass_builder.foundation.errors import RequirementsError, TimeLimitError
from nachlass_builder.foundation.process import Completed, Deadline
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.packages.uv_program import (
    DENIED,
    UNSOLVABLE,
    run_uv,
    uv_arguments,
    uv_message,
)

BUILD_LIMIT_S = 600.0
"""Time limit for building a package from source."""

PYTHONS = tuple(f"3.{minor}" for minor in range(5, sys.version_info.minor + 5))
"""The Pythons that are checked for wheels of a version."""

ANY_PLATFORM = ("--universal", "--python-version", "3.0")
"""Options that make uv consider the files for every Python 3 and system."""

CONCURRENCY = 4
WHEELS = ("--only-binary", ":all:")
COMPILE = ("pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-strip-extras")


T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Resolver:
    """The settings shared by all queries.

    `only_binary` names distributions that must not be built, `constraints` are lines in
    pip's format, `as_of` hides later uploads. `run` runs uv.
    """

    indexes: IndexSettings
    work: Path
    deadline: Deadline
    constraints: tuple[str, ...] = ()
    only_binary: frozenset[str] = frozenset()
    as_of: str | None = None
    run: Callable[..., Completed] = run_uv

    @property
    def folder(self) -> Path:
        """The folder that paths in requirements are relative to."""
        return self.indexes.root or self.work

    def lock(self, requirements: Sequence[str]) -> Completed:
        """Resolve requirements to a PEP 751 lock, on standard output."""
        return self._resolve(requirements, "--format", "pylock.toml", "--generate-hashes")

    def can_resolve(self, requirements: Sequence[str]) -> bool:
        """Return whether the requirements are compatible."""
        return self._resolve(requirements).status == 0

    def fetch(self, requirement: str) -> Completed:
        """Fetch a requirement that is a link, and determine its version."""
        return within_build_limit(
            self.deadline, lambda deadline: self._compile([requirement], ["--no-deps"], deadline)
        )

    def version_of(self, requirement: str, *options: str) -> str | None:
        """Return the version uv would choose of a single distribution, or None.

        Dependencies do not matter and nothing is built. Raises RequirementsError if an
        index does not respond.
        """
        completed = self._compile(
            [requirement], [*self._formats(), "--no-deps", *options], self.deadline
        )
        if completed.status not in (0, UNSOLVABLE):
            raise self.unreachable(completed)
        _, equals, version = completed.stdout.partition("==")
        return version.split()[0].rstrip(";") if equals else None

    def refusal_of(self, name: str) -> str | None:
        """Return uv's message if an index denies access to a distribution, else None."""
        options = ["--no-deps", "--index-strategy", "first-index"]
        completed = self._compile([name], options, self.deadline)
        return uv_message(completed) if DENIED.search(completed.stderr) else None

    def wheel_of(self, requirement: str, *options: str) -> str | None:
        """Return the same as `version_of`, but consider only wheels."""
        return self.version_of(requirement, *WHEELS, *options)

    def pythons_with(self, requirement: str, *options: str) -> list[str]:
        """Return the Pythons that a version of the distribution supports on this platform."""

        def fits(python: str) -> bool:
            return self.version_of(requirement, "--python-version", python, *options) is not None

        return [
            python
            for python, can_resolve in zip(PYTHONS, each(fits, PYTHONS), strict=True)
            if can_resolve
        ]

    def needlessly_built(self, name: str, version: str) -> bool:
        """Return whether a version has wheels, but none for this platform, unlike its project."""
        pin = f"{name}=={version}"
        if self.pythons_with(pin, *WHEELS):
            return True
        return bool(self.wheel_of(pin, *ANY_PLATFORM) and self.wheel_of(name))

    def access_remedy(self, refusal: str) -> str:
        """Return the remedy for an index that denies access."""
        if self.indexes.user_given(refusal):
            return "check the index's username and password (in its URL or ~/.netrc)"
        return "put a username and password into PIP_INDEX_URL or ~/.netrc"

    def unreachable(self, completed: Completed) -> RequirementsError:
        """Return the error for a failure of uv that the requirements did not cause."""
        places = ", ".join(self.indexes.places) or "none is configured"
        return RequirementsError(
            f"the package index cannot be read ({places})",
            details=uv_message(completed),
            remedy=self.access_remedy(completed.stderr)
            if DENIED.search(completed.stderr)
            else "check the network, the proxy (HTTPS_PROXY), the certificates (SSL_CERT_FILE) "
            "and PIP_INDEX_URL; to build without a network, keep all wheels in wheels/ "
            "and set PIP_NO_INDEX=1",
        )

    def _resolve(self, requirements: Sequence[str], *options: str) -> Completed:
        """Resolve requirements and all dependencies under the constraints."""
        constraints = list(self.indexes.constraints)
        with TemporaryDirectory(dir=self.work) as folder:
            if self.constraints:
                listed = Path(folder) / "constraints.txt"
                listed.write_text("\n".join(self.constraints), encoding="utf-8")
                constraints.append(str(listed))
            words = [word for path in constraints for word in ("--constraints", path)]
            return within_build_limit(
                self.deadline,
                lambda deadline: self._compile(
                    requirements, [*self._formats(), *words, *options], deadline
                ),
            )

    def _formats(self) -> list[str]:
        """Return the options that decide which distributions may be wheels, and which source."""
        options = []
        for name in sorted({*self.indexes.only_binary, *self.only_binary}):
            options += ["--only-binary", name]
        for name in self.indexes.no_binary:
            options += ["--no-binary", name]
        return options

    def _compile(
        self, requirements: Sequence[str], options: Iterable[str], deadline: Deadline
    ) -> Completed:
        """Run `uv pip compile` with the requirements on standard input."""
        as_of = ["--exclude-newer", self.as_of] if self.as_of else []
        return self.run(
            [
                *COMPILE,
                "--python",
                sys.executable,
                *uv_arguments(self.indexes),
                *as_of,
                *options,
                "-",
            ],
            indexes=self.indexes,
            deadline=deadline,
            doing="resolving the requirements",
            cwd=self.folder,
            stdin="\n".join(requirements),
        )


def each(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Run several queries at a time."""
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        return list(pool.map(function, items))


def spans(pythons: Sequence[str]) -> str:
    """List Python versions in words: `3.6 to 3.8 and 3.10`."""
    runs: list[list[str]] = []
    for python in pythons:
        if runs and PYTHONS.index(python) == PYTHONS.index(runs[-1][-1]) + 1:
            runs[-1].append(python)
        else:
            runs.append([python])
    spans = []
    for run in runs:
        spans += run if len(run) < 3 else [f"{run[0]} to {run[-1]}"]  # noqa: PLR2004
    return " and ".join([", ".join(spans[:-1]), spans[-1]] if len(spans) > 1 else spans)


def within_build_limit(deadline: Deadline, action: Callable[[Deadline], Completed]) -> Completed:
    """Run an action that may build packages; raise RequirementsError if it takes too long."""
    remaining = deadline.remaining_s()
    if remaining is not None and remaining <= BUILD_LIMIT_S:
        return action(deadline)
    try:
        return action(Deadline.after(BUILD_LIMIT_S))
    except TimeLimitError:
        raise RequirementsError(
            f"building a package from source took too long (limit {BUILD_LIMIT_S:g} s)",
            remedy="use a version that has a wheel for this Python",
        ) from None
