"""Explains why requirements cannot be resolved: which, where, and what exists instead.

The answers come from smaller uv queries, never from parsing uv's messages. The
explanations are in one file because each query leads to the next.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import replace

from packaging.version import Version

from nachlass_builder.foundation.credentials import redact
from nachlass_builder.foundation.errors import RequirementsError
from nachlass_builder.foundation.process import Completed
from nachlass_builder.packages.resolver import ANY_PLATFORM, WHEELS, Resolver, each, spans
from nachlass_builder.packages.uv_program import UNSOLVABLE, uv_message
from nachlass_builder.packages.wanted import Wanted
from nachlass_builder.requirements.requirements import OLDEST_PYTHON

HERE = "Python " + ".".join(platform.python_version_tuple()[:2])
SYSTEM = f"{platform.system()} {platform.machine()}"

SEARCH_LIMIT_S = 20.0
"""Time limit of the search for the smallest conflict."""


def explain(
    completed: Completed, wanted: Sequence[Wanted], resolver: Resolver
) -> RequirementsError:
    """Return the error to raise after uv could not lock `wanted`."""
    for one in wanted:
        if one.is_link and (fetched := resolver.fetch(one.text)).status:
            return _not_fetched(one, fetched)
    if completed.status != UNSOLVABLE:
        return resolver.unreachable(completed)
    from_indexes = [one for one in wanted if not one.is_link and one.applies]
    versions = each(lambda one: resolver.version_of(one.name_and_versions), from_indexes)
    missing = [one for one, version in zip(from_indexes, versions, strict=True) if version is None]
    return _missing(missing, resolver) if missing else _conflict(completed, wanted, resolver)


def no_wheel(one: Wanted, resolver: Resolver) -> RequirementsError:
    """Return the error for a requirement that has wheels, but none for this Python."""
    pythons = resolver.pythons_with(one.name_and_versions, *WHEELS)
    ways = [_nearest(one, resolver)]
    if pythons and Version(pythons[-1]) >= Version(OLDEST_PYTHON):
        ways.append(f"or build with Python {pythons[-1]}")
    if resolver.version_of(one.name_and_versions, "--no-binary", one.name):
        ways.append(f"or set PIP_NO_BINARY={one.name} to build it from source anyway")
    return RequirementsError(
        f"{one.text} has no wheel for {HERE}"
        + (f", only for Python {spans(pythons)}" if pythons else ""),
        place=one.place,
        remedy="; ".join(ways),
    )


def _missing(missing: Sequence[Wanted], resolver: Resolver) -> RequirementsError:
    """Return the error for requirements that nothing on the indexes satisfies.

    An index that denies access comes first: it may have the other missing ones.
    """
    undated = replace(resolver, as_of=None)
    existing = each(lambda one: _exists(one.name, undated), missing)
    lookups = list(zip(missing, existing, strict=True))
    refusals = [None if exists else undated.refusal_of(one.name) for one, exists in lookups]
    denied = [(one, message) for one, message in zip(missing, refusals, strict=True) if message]
    failures = [_denied(*denied[0], len(denied) - 1, resolver)] if denied else []
    for (one, exists), refusal in zip(lookups, refusals, strict=True):
        if not refusal:
            failures.append(_unavailable(one, resolver) if exists else _unknown(one, resolver))
    return _combined(failures)


def _unavailable(one: Wanted, resolver: Resolver) -> RequirementsError:
    """Return the error for a distribution that exists, but not as required."""
    if resolver.as_of and replace(resolver, as_of=None).version_of(one.name_and_versions):
        return RequirementsError(
            f"{one.text} did not exist on {resolver.as_of}, or its index gives no upload dates",
            place=one.place,
            remedy="use a later S2I_RESOLVE_AS_OF, or an earlier version",
        )
    if resolver.pythons_with(one.name_and_versions, *WHEELS):
        return no_wheel(one, resolver)
    if pythons := resolver.pythons_with(one.name_and_versions):
        return RequirementsError(
            f"{one.text} does not support {HERE}, only Python {spans(pythons)}",
            place=one.place,
            remedy=_nearest(one, resolver),
        )
    if resolver.wheel_of(one.name_and_versions, *ANY_PLATFORM):
        return RequirementsError(
            f"{one.text} does not support {SYSTEM}, only other systems",
            place=one.place,
            remedy=f"remove it, or restrict it to its system, as in "
            f"`{one.text}; sys_platform == 'win32'`",
        )
    return RequirementsError(
        f"no version of {one.name} matches {one.text}",
        place=one.place,
        remedy=_nearest(one, resolver),
    )


def _denied(one: Wanted, refusal: str, others: int, resolver: Resolver) -> RequirementsError:
    """Return the error for an index that wants credentials, or rejects them."""
    names = f"{one.name} and {others} more" if others else one.name
    return RequirementsError(
        f"the package index denies access to {names} ({', '.join(resolver.indexes.places)})",
        place=one.place,
        details=refusal,
        remedy=resolver.access_remedy(refusal),
    )


def _unknown(one: Wanted, resolver: Resolver) -> RequirementsError:
    """Return the error for a distribution that no index has."""
    where = ", ".join(resolver.indexes.places) or "any index: none is configured"
    subject = one.name if one.origin else f"{one.name}, which {one.needed_by} needs,"
    return RequirementsError(
        f"there is no distribution {subject} on {where}",
        place=one.place,
        remedy="check the name and the index (PIP_INDEX_URL, wheels/)",
    )


def _exists(name: str, resolver: Resolver) -> bool:
    """Return whether any index has anything of that name, for any Python and system."""
    return bool(
        resolver.version_of(name, "--prerelease", "allow")
        or resolver.pythons_with(name)
        or resolver.version_of(name, *ANY_PLATFORM)
    )


def _nearest(one: Wanted, resolver: Resolver) -> str:
    """Suggest the nearest versions that have a wheel here."""
    name = one.name
    if one.pin:
        lower = resolver.wheel_of(f"{name}<{one.pin}")
        higher = resolver.wheel_of(f"{name}>{one.pin}", "--resolution", "lowest-direct")
    else:
        lower = resolver.wheel_of(name, "--resolution", "lowest-direct")
        higher = resolver.wheel_of(name)
    found = list(dict.fromkeys(version for version in (lower, higher) if version))
    if not found:
        return f"no version of {name} has a wheel for {HERE}"
    if not one.pin:
        return f"{name} has wheels for {HERE} in versions {found[0]} to {found[-1]}"
    versions = " and ".join(f"{name}=={version}" for version in found)
    if len(found) > 1:
        return f"the nearest versions with a wheel for {HERE} are {versions}"
    order = "earlier" if higher else "later"
    what = f"the nearest version with a wheel for {HERE} is {versions}"
    return f"{what} (no {order} version has one)"


def _not_fetched(one: Wanted, fetched: Completed) -> RequirementsError:
    """Return the error for a link that cannot be fetched or built."""
    return RequirementsError(
        f"{redact(one.text, ())} cannot be fetched or built",
        place=one.place,
        details=uv_message(fetched),
        remedy="for a private repository, give git credentials: an ssh agent, ~/.netrc, "
        "or a credential helper"
        if "git+" in one.text
        else None,
    )


def _conflict(
    completed: Completed, wanted: Sequence[Wanted], resolver: Resolver
) -> RequirementsError:
    """Return the error for requirements that exist but are incompatible."""
    conflict = _smallest_conflict(wanted, resolver)
    theirs = [one for one in conflict if one.origin]
    ours = [one for one in conflict if not one.origin]
    constrained = resolver.constraints or resolver.indexes.constraints
    free = replace(resolver, constraints=(), indexes=replace(resolver.indexes, constraints=()))
    by_constraint = bool(constrained) and free.can_resolve([one.text for one in conflict])
    first, *others = [*theirs, *ours]
    names = " and ".join([redact(first.text, ()) if theirs else str(first), *map(str, others)])
    if others:
        message = f"{names} are incompatible"
    else:
        message = f"{names} and its dependencies cannot be resolved for {HERE}"
    if by_constraint:
        message += " under the configured constraints"
    return RequirementsError(
        message,
        place=first.place,
        details=None
        if _contradict(conflict, resolver)
        else _explanation(completed, conflict, resolver),
        remedy=_conflict_remedy(theirs, ours, resolver, by_constraint=by_constraint),
    )


def _contradict(conflict: Sequence[Wanted], resolver: Resolver) -> bool:
    """Return whether all are about one distribution, no version of which matches all."""
    if any(one.is_link for one in conflict) or len({one.name for one in conflict}) > 1:
        return False
    versions = ",".join(str(one.parsed.specifier) for one in conflict if one.parsed.specifier)
    return not resolver.version_of(f"{conflict[0].name}{versions}")


def _explanation(completed: Completed, conflict: Sequence[Wanted], resolver: Resolver) -> str:
    """Return uv's message about the smallest conflict, or its first one about all."""
    output = resolver.lock([one.text for one in conflict])
    return uv_message(output if output.status else completed)


def _smallest_conflict(wanted: Sequence[Wanted], resolver: Resolver) -> list[Wanted]:
    """Reduce the requirements to those that conflict: drop ours first, then the user's."""
    ends_at = time.monotonic() + SEARCH_LIMIT_S
    conflict = list(wanted)
    theirs = [one for one in wanted if one.origin]
    if theirs and not resolver.can_resolve([one.text for one in theirs]):
        conflict = theirs
    for one in sorted(conflict, key=lambda one: one.origin is not None):
        rest = [other for other in conflict if other is not one]
        if (
            time.monotonic() < ends_at
            and rest
            and not resolver.can_resolve([other.text for other in rest])
        ):
            conflict = rest
    return conflict


def _conflict_remedy(
    theirs: Sequence[Wanted], ours: Sequence[Wanted], resolver: Resolver, *, by_constraint: bool
) -> str:
    """Return the remedy for a conflict."""
    if by_constraint:
        return "loosen the constraints (-c files, uv.lock, PIP_CONSTRAINT) or the requirements"
    if not theirs:
        return "make it available on the index, or in wheels/ with all its dependencies"
    if not ours and len(theirs) == 1 and theirs[0].pin:
        return _nearest(theirs[0], resolver)
    names = " or ".join(dict.fromkeys(one.name for one in theirs))
    return f"allow other versions of {names}" + (
        ": the requirements of the service and the kernel cannot change" if ours else ""
    )


def _combined(failures: Sequence[RequirementsError]) -> RequirementsError:
    """Return the first of several errors, with a line for each of the others."""
    first, *others = failures
    lines = [str(other).splitlines()[0].removeprefix("error: ") for other in others]
    details = "\n".join([*([first.details] if first.details else []), *lines])
    return RequirementsError(
        first.message, place=first.place, details=details or None, remedy=first.remedy
    )
