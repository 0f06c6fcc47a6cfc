"""pip options that have no effect in a build.

Options that are not listed here either work (an index, formats, `--pre`) or do not change
what is installed (`--quiet`, `--upgrade`, `--user`).
"""

from __future__ import annotations

from collections.abc import Iterator

from nachlass_builder.foundation.errors import Place

_BUILDING = "packages are built with their own settings"
_PLACE = "packages are installed into the build's environment"
_HERE = "the lock is for this Python and platform"
_ALL = "dependencies are always locked too"
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
    "--hash": "put the requirement and its hashes into requirements.txt",
    "--group": "list the group's requirements directly",
    "--uploaded-prior-to": "use S2I_RESOLVE_AS_OF",
    "--exclude-newer": "use S2I_RESOLVE_AS_OF",
    "--override": "pin the versions in `requirements`",
    "--overrides": "pin the versions in `requirements`",
    "--resolution": "pin the versions in `requirements`",
}
"""Options without effect, and the reason or an alternative."""


def without_effect(option: str, place: Place) -> Iterator[str]:
    """Yield a note if an option has no effect."""
    if option in WITHOUT_EFFECT:
        yield f"{place}: {option} has no effect in a build: {WITHOUT_EFFECT[option]}"
