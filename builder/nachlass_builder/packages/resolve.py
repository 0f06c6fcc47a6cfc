"""Resolves the user's requirements and ours into one lock.

A distribution is built from source only if its project publishes no wheel of that version
for this platform. If there are wheels for other Pythons, a build would most likely take
minutes and then fail.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nachlass_builder.foundation.errors import Place
from nachlass_builder.foundation.process import Completed, Deadline
from nachlass_builder.packages import pylock
from nachlass_builder.packages.explain_resolution import explain, no_wheel
from nachlass_builder.packages.lock import Lock
from nachlass_builder.packages.locked_hashes import check_all_hashed, restrict
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.packages.resolver import Resolver, each
from nachlass_builder.packages.uv_program import run_uv
from nachlass_builder.packages.wanted import Wanted
from nachlass_builder.requirements.requirement import Requirement
from nachlass_builder.requirements.requirement_hashes import Hashed

ROUNDS = 8
"""The number of times the set of source builds is revised."""


def resolve(
    requirements: Sequence[Requirement],
    ours: Sequence[str],
    *,
    indexes: IndexSettings,
    constraints: Sequence[str] = (),
    hashes: Sequence[Hashed] = (),
    require_hashes: Place | None = None,
    as_of: str | None,
    work: Path,
    deadline: Deadline,
    run: Callable[..., Completed] = run_uv,
) -> Lock:
    """Lock the user's requirements together with ours; raise RequirementsError.

    `as_of` limits the user's requirements and their dependencies to a date. It does not
    limit ours, which may need later versions. Nor does `require_hashes` apply to ours.
    `run` runs uv.
    """
    resolver = Resolver(indexes, work, deadline, constraints=tuple(constraints), run=run)
    theirs = [Wanted(requirement.text, requirement) for requirement in requirements]
    wanted = [*theirs, *(Wanted(text) for text in ours)]
    dated: dict[str, str] = {}
    if as_of and theirs:
        dated = _pins(_settle(replace(resolver, as_of=as_of), theirs))
        resolver, wanted = _dated(resolver, dated, wanted)
    text = restrict(_settle(resolver, wanted), hashes)
    if require_hashes and theirs:
        declared = pylock.packages(tomllib.loads(_settle(resolver, theirs)))
        check_all_hashed(require_hashes, requirements, declared, hashes)
    notes = _sources(text, indexes)
    newer = [name for name, version in _pins(text).items() if dated.get(name, version) != version]
    if newer:
        notes.append(f"newer than {as_of}, for the service and the kernel: {', '.join(newer)}")
    return Lock.from_pylock(text, folder=resolver.folder, source=resolver.folder, notes=notes)


def _settle(resolver: Resolver, wanted: Sequence[Wanted]) -> str:
    """Resolve, repeatedly without needless source builds; return the text of uv's lock."""
    for _ in range(ROUNDS):
        completed = resolver.lock([one.text for one in wanted])
        if completed.status:
            raise explain(completed, wanted, resolver)
        refused = _needless_builds(completed.stdout, resolver)
        if not refused:
            break
        for one in wanted:
            if one.pin and one.name in refused:
                raise no_wheel(one, resolver)
        resolver = replace(resolver, only_binary=resolver.only_binary | refused)
    return completed.stdout


def _needless_builds(text: str, resolver: Resolver) -> frozenset[str]:
    """Return the packages locked as source that should have a wheel."""
    allowed = resolver.indexes.no_binary
    sources = [
        (pylock.name_of(package), package["version"])
        for package in pylock.packages(tomllib.loads(text))
        if "sdist" in package and pylock.is_source(package)
    ]
    candidates = [pin for pin in sources if not {pin[0], ":all:"} & {*allowed}]
    found = each(lambda pin: resolver.needlessly_built(*pin), candidates)
    return frozenset(
        name for (name, _), is_needless in zip(candidates, found, strict=True) if is_needless
    )


def _sources(text: str, indexes: IndexSettings) -> list[str]:
    """Note the packages built from source, for lack of a wheel or by the user's choice."""
    notes = []
    for package in pylock.packages(tomllib.loads(text)):
        name = pylock.name_of(package)
        is_requested = "sdist" not in package or {name, ":all:"} & {*indexes.no_binary}
        if pylock.is_source(package):
            notes.append(
                f"{name} {'is' if is_requested else 'has no wheel and is'} built from source"
            )
    return notes


def _dated(
    resolver: Resolver, pins: Mapping[str, str], wanted: Sequence[Wanted]
) -> tuple[Resolver, list[Wanted]]:
    """Pin everything to its dated version or, if ours conflict, only the user's requirements."""
    lines = tuple(f"{name}=={version}" for name, version in pins.items())
    pinned = replace(resolver, constraints=(*resolver.constraints, *lines))
    if pinned.can_resolve([one.text for one in wanted]):
        return pinned, [*wanted]
    return resolver, [
        one.at(pins[one.name]) if one.origin and one.name in pins else one for one in wanted
    ]


def _pins(text: str) -> dict[str, str]:
    """Return the versions in a lock, except of links and folders."""
    return {
        pylock.name_of(package): package["version"]
        for package in pylock.packages(tomllib.loads(text))
        if "wheels" in package or "sdist" in package
    }
