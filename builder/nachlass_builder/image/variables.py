"""The service's variables in an image.

They are in a file that `run` reads, not in the image's configuration, so that a
second image that copies the model also has them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path

from nachlass_builder.foundation.progress import Progress
from nachlass_builder.image.build_mounts import private_parameters
from nachlass_builder.image.paths import write_readable

ENVIRONMENT = "environment"
"""The name of the file beside the bundle."""
IMAGE_VARIABLES = frozenset({"S2I_MODEL_PATH", "S2I_CACHE_DIR", "S2I_KEEP_ARTIFACTS"})
"""Settings that an image sets itself."""
RUNTIME_VARIABLES = frozenset({"HOME", "PATH", "LANG", "PYTHONUNBUFFERED"})
"""Variables that the runtime's configuration sets."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def public_variables(parameters: Mapping[str, str], shipped: Collection[str]) -> dict[str, str]:
    """Return the variables that an image may contain: no secrets, no settings of pip and uv."""
    kept_out = {*private_parameters(parameters, shipped), *IMAGE_VARIABLES}
    return {name: value for name, value in sorted(parameters.items()) if name not in kept_out}


def keep_variables(folder: Path, variables: Mapping[str, str], progress: Progress) -> None:
    """Write variables to a shell script; variables that the platform sets take precedence."""
    invalid = sorted(name for name in variables if not _NAME.fullmatch(name))
    reserved = sorted(variables.keys() & RUNTIME_VARIABLES)
    if invalid:
        progress.warn(
            f"{', '.join(invalid)}: not kept in the image, because shells cannot set them"
        )
    if reserved:
        progress.warn(f"{', '.join(reserved)}: not kept in the image, which sets its own")
    lines = (
        f'[ "${{{name}+set}}" ] || export {name}={shlex.quote(value)}\n'
        for name, value in variables.items()
        if name not in (*invalid, *reserved)
    )
    write_readable(folder / ENVIRONMENT, "".join(lines))
