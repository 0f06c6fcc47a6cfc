"""The variables that an image keeps for its service.

They are in a file that `run` reads, and not in the image's configuration: a
second image that takes over the model has them, too.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path

from nachlass_builder.foundation.progress import Progress
from nachlass_builder.image.lent import lent_parameters
from nachlass_builder.image.paths import write_for_all

ENVIRONMENT = "environment"
"""The file, beside the bundle."""
OF_IMAGES = frozenset({"S2I_MODEL_PATH", "S2I_CACHE_DIR", "S2I_KEEP_ARTIFACTS"})
"""Settings that an image has its own of."""
OF_THE_RUNTIME = frozenset({"HOME", "PATH", "LANG", "PYTHONUNBUFFERED"})
"""Variables that the runtime's configuration sets."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def public_variables(given: Mapping[str, str], shipped: Collection[str]) -> dict[str, str]:
    """Those that an image may hold: no secrets, nothing that steers pip and uv."""
    kept_out = {*lent_parameters(given, shipped), *OF_IMAGES}
    return {name: value for name, value in sorted(given.items()) if name not in kept_out}


def keep_variables(folder: Path, variables: Mapping[str, str], progress: Progress) -> None:
    """Write them as a shell reads them; what the platform sets is stronger."""
    odd = sorted(name for name in variables if not _NAME.fullmatch(name))
    own = sorted(variables.keys() & OF_THE_RUNTIME)
    if odd:
        progress.warn(f"{', '.join(odd)}: not in the image, where a shell could not set them")
    if own:
        progress.warn(f"{', '.join(own)}: not in the image, which has its own")
    lines = (
        f'[ "${{{name}+set}}" ] || export {name}={shlex.quote(value)}\n'
        for name, value in variables.items()
        if name not in (*odd, *own)
    )
    write_for_all(folder / ENVIRONMENT, "".join(lines))
