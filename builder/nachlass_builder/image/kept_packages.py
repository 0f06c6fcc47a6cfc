"""Keeps the system packages of a model for the serving image."""

from __future__ import annotations

import shlex
from pathlib import Path

from nachlass_builder.assemble.system_packages import image_packages
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.image.paths import PACKAGES, write_readable
from nachlass_builder.image.variables import ENVIRONMENT
from nachlass_builder.system.apt_txt import read_apt_txt
from nachlass_builder.system.unpack import environment_with


def keep_packages(
    source: Path, environment: Path, folder: Path, cache: Path, progress: Progress
) -> None:
    """Write the list of packages that a model needs, for `install-packages listed`."""
    names = image_packages(read_apt_txt(source), environment, cache, progress)
    write_readable(folder / PACKAGES, "".join(f"{name}\n" for name in names))


def keep_unpacked(system: Path) -> None:
    """Write variables for `run` that let programs find the packages unpacked by s2i's build."""
    roots = [path for path in system.glob("*") if path.is_dir()]
    found = environment_with(roots[0], {}) if roots else {}
    lines = (f'export {n}="${{{n}:+${n}:}}"{shlex.quote(v)}\n' for n, v in found.items())
    if found:
        write_readable(system / ENVIRONMENT, "".join(lines))
