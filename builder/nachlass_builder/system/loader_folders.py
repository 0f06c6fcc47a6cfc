"""Knows in which folders this system's dynamic loader looks for libraries."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
CONFIGURATION = "etc/ld.so.conf"
DEFAULTS = ("lib64", "usr/lib64", "lib", "usr/lib")
MULTIARCH = ("lib/*-linux-gnu*", "usr/lib/*-linux-gnu*")
"""Where Debian has the libraries of each architecture."""
MUSL = ("lib/ld-musl-*.so.1", "etc/ld-musl-*.path")
"""The loader of Alpine, and the file that names other folders to it."""
MUSL_ALONE = "usr/local/lib"
"""A default folder of musl's; glibc looks there only where its configuration says so."""


def loader_folders(root: Path = ROOT) -> list[Path]:
    """The folders, each once, in the order in which the loader looks.

    The configuration is read rather than the cache made of it: anyone may read
    it, it is text, and no `ldconfig` need be there. A library that was put
    there, and for which `ldconfig` has not run, is taken for one that is found.
    """
    found = [root / folder for folder in _configured(root / CONFIGURATION, root, set())]
    if any(root.glob(MUSL[0])):
        for path in root.glob(MUSL[1]):
            names = re.findall(r"[^:\n]+", _text(path))
            found += [root / name.lstrip("/") for name in names]
        found.append(root / MUSL_ALONE)
    found += [folder for pattern in MULTIARCH for folder in sorted(root.glob(pattern))]
    found += [root / folder for folder in DEFAULTS]
    return list(dict.fromkeys(folder.resolve() for folder in found if os.access(folder, os.X_OK)))


def _configured(file: Path, root: Path, read: set[Path]) -> Iterator[str]:
    """The folders that a file of `ld.so.conf`'s form names, from the root."""
    if file in read:
        return
    read.add(file)
    for line in _text(file).splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["include"]:
            for pattern in words[1:]:
                parent = root if pattern.startswith("/") else file.parent
                for included in sorted(parent.glob(pattern.lstrip("/"))):
                    yield from _configured(included, root, read)
        elif words and words[0].startswith("/"):
            # Once a folder could be followed by the kind of its libraries: `/usr/lib=libc6`.
            yield words[0].partition("=")[0].lstrip("/")


def _text(file: Path) -> str:
    """What a file holds; nothing if it is not there, or not for us."""
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
