"""The variables that an image keeps for its service.

They are in a file that `run` reads, and not in the image's configuration: a
second image that takes over the model has them, too.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path

from nachlass_builder.foundation.settings import is_index_variable
from nachlass_builder.source.parameters import secrets_among

ENVIRONMENT = "environment"
"""The file, beside the bundle."""
OF_IMAGES = frozenset({"S2I_MODEL_PATH", "S2I_CACHE_DIR", "S2I_KEEP_ARTIFACTS"})
"""Settings that an image has its own of."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def public_variables(given: Mapping[str, str], shipped: Collection[str]) -> dict[str, str]:
    """Those that an image may hold: no secrets, nothing that steers pip and uv."""
    secrets = secrets_among(given, shipped)
    return {
        name: value
        for name, value in sorted(given.items())
        if not (name in secrets or name in OF_IMAGES or is_index_variable(name))
    }


def keep_variables(folder: Path, variables: Mapping[str, str]) -> None:
    """Write them as a shell reads them; what the platform sets is stronger."""
    lines = (
        f'[ "${{{name}+set}}" ] || export {name}={shlex.quote(value)}\n'
        for name, value in variables.items()
        if _NAME.fullmatch(name)
    )
    (folder / ENVIRONMENT).write_text("".join(lines), encoding="utf-8")
