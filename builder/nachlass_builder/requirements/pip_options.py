"""Options of pip's that ask for something a build cannot do.

What is not listed is met (an index, formats, `--pre`), or changes nothing
about what is installed (`--quiet`, `--upgrade`, `--user`).
"""

from __future__ import annotations

from collections.abc import Iterator

from nachlass_builder.foundation.errors import Place

_BUILDING = "packages are built as they say themselves"
_PLACE = "packages go into the environment of the build"
_HERE = "the lock is for this Python and platform"
_ALL = "what a package needs is locked with it"
WITHOUT_EFFECT = {
    "--no-deps": _ALL,
    "--no-dependencies": _ALL,
    "--ignore-requires-python": _HERE,
    "--python-version": _HERE,
    "--python": _HERE,
    "--platform": _HERE,
    "--abi": _HERE,
    "--implementation": _HERE,
    "-t": _PLACE,
    "--target": _PLACE,
    "--prefix": _PLACE,
    "--root": _PLACE,
    "-C": _BUILDING,
    "--config-settings": _BUILDING,
    "--config-setting": _BUILDING,
    "--global-option": _BUILDING,
    "--build-option": _BUILDING,
    "--install-option": _BUILDING,
    "--no-build-isolation": _BUILDING,
    "--build-constraint": _BUILDING,
    "--build-constraints": _BUILDING,
    "--use-pep517": _BUILDING,
    "--no-use-pep517": _BUILDING,
    "--hash": "write the requirement and its hashes into requirements.txt",
    "--group": "list its requirements themselves",
    "--uploaded-prior-to": "S2I_RESOLVE_AS_OF has this effect",
    "--exclude-newer": "S2I_RESOLVE_AS_OF has this effect",
    "--override": "pin the versions in `requirements`",
    "--overrides": "pin the versions in `requirements`",
    "--resolution": "pin the versions in `requirements`",
}
"""What has no effect here, and why, or what to do instead."""


def without_effect(option: str, place: Place) -> Iterator[str]:
    """What to say of an option that has no effect, if it asks for something."""
    if option in WITHOUT_EFFECT:
        yield f"{place}: {option} has no effect in a build: {WITHOUT_EFFECT[option]}"
