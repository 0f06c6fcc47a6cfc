"""The system packages of an image: a list of them, and those that a build has unpacked."""

from __future__ import annotations

import shlex
from pathlib import Path

from nachlass_builder.assemble.system_packages import ROOT, image_packages
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.image.paths import PACKAGES
from nachlass_builder.image.variables import ENVIRONMENT
from nachlass_builder.system.apt_txt import read_apt_txt
from nachlass_builder.system.unpack import environment_with


def keep_packages(
    source: Path, bundle: Path, folder: Path, cache: Path, progress: Progress
) -> None:
    """Leave the list of the packages that a model needs: `install-packages listed` reads it."""
    environment = (bundle / "venv").resolve()
    names = image_packages(read_apt_txt(source), environment, cache, progress)
    (folder / PACKAGES).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def keep_unpacked(system: Path) -> None:
    """Leave the variables with which programs find what was unpacked, for `run`."""
    if not (system / ROOT).is_dir():
        return
    found = environment_with(system / ROOT, {})
    lines = (f'export {n}="${{{n}:+${n}:}}"{shlex.quote(v)}\n' for n, v in found.items())
    (system / ENVIRONMENT).write_text("".join(lines), encoding="utf-8")
