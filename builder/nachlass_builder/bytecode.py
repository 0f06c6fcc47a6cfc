"""Where the bytecode of training environments is kept. Builder environment.

It is apart from what is installed and from the user's source, which stay as they
are: PYTHONPYCACHEPREFIX names a folder of the environment for whatever is
imported there, the standard library included. What that has compiled already is
linked, or the first kernel of each environment would compile it again.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

NEVER_IMPORTED = {
    "ensurepip", "idlelib", "lib2to3", "site-packages", "test", "tests", "tkinter", "turtledemo",
}  # fmt: skip
"""Folders of the standard library that kernels and models do without."""


def bytecode_folder(python: Path) -> Path:
    """The folder for an environment's interpreter."""
    return python.parent.parent / "pycache"


def link_standard_library(folder: Path) -> None:
    """Link in a new folder what this Python's standard library has as bytecode.

    Python reads through a link, and replaces one whose source has changed.
    """
    suffix = f".{sys.implementation.cache_tag}.pyc"
    for place, folders, names in os.walk(sysconfig.get_path("stdlib")):
        folders[:] = [name for name in folders if name not in NEVER_IMPORTED]
        if Path(place).name != "__pycache__":
            continue
        linked = folder / Path(place).parent.relative_to("/")
        linked.mkdir(parents=True, exist_ok=True)
        for name in names:
            if name.endswith(suffix):
                (linked / name).symlink_to(Path(place, name))
