"""The folders in which this system's dynamic loader looks for libraries."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
CONFIGURATION = "etc/ld.so.conf"
DEFAULTS = ("lib64", "usr/lib64", "lib", "usr/lib")
MULTIARCH = ("lib/*-linux-gnu*", "usr/lib/*-linux-gnu*")
"""Debian's folders for the libraries of each architecture."""
MUSL = ("lib/ld-musl-*.so.1", "etc/ld-musl-*.path")
"""Alpine's loader, and the file that configures its folders."""
MUSL_ALONE = "usr/local/lib"
"""A default folder of musl; glibc looks there only if configured."""


def loader_folders(root: Path = ROOT) -> list[Path]:
    """Return the folders, each once, in the loader's search order.

    This reads the configuration rather than the cache, because it is readable text and needs no
    `ldconfig`. A library that was added without running `ldconfig` counts as found.
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
    """Yield the folders in a file in `ld.so.conf` format, relative to the root."""
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
            # In an old form the kind of libraries follows the folder: `/usr/lib=libc6`.
            yield words[0].partition("=")[0].lstrip("/")


def _text(file: Path) -> str:
    """Return a file's text; empty if it is missing or unreadable."""
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
