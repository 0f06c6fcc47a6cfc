"""Checks the folders that a build writes and the variables of its network."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryFile

from nachlass_builder.doctor.check import Check, error, ok, warning, without_userinfo
from nachlass_builder.foundation.errors import FREE_SPACE, StorageError
from nachlass_builder.foundation.size import megabytes, states_of
from nachlass_builder.packages.uv_program import WRITABLE_FOLDER_REMEDY

MIN_FREE_BYTES = 2e9
"""Free bytes needed: the size of an environment with a large library."""
SIZE_LIMIT_S = 3.0
"""Time limit for measuring a cache."""
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def check_folder(name: str, folder: Path, *, with_size: bool = False) -> Iterator[Check]:
    """Check that a cache can be written, and that its disk has room."""
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        with TemporaryFile(dir=existing):
            pass
        free = shutil.disk_usage(existing).free
    except OSError as failure:
        message = f"{folder} cannot be written: {failure.strerror}"
        yield error(name, message, WRITABLE_FOLDER_REMEDY, StorageError)
        return
    used = f", {_size(folder)}" if with_size else ""
    shown = f"{folder}{used}, {free / 1e9:.1f} GB free"
    if free < MIN_FREE_BYTES:
        yield warning(name, f"{shown} (at least {MIN_FREE_BYTES / 1e9:g} GB needed)", FREE_SPACE)
    else:
        yield ok(name, shown)


def _size(folder: Path) -> str:
    """Return the size of a folder, or a lower bound if the time limit is exceeded."""
    started, files = time.monotonic(), {}
    for state in states_of(folder):
        files[state.st_ino] = state.st_size
        if time.monotonic() - started > SIZE_LIMIT_S:
            return f"more than {megabytes(sum(files.values()))}"
    return megabytes(sum(files.values()))


def check_variables(environ: Mapping[str, str]) -> Iterator[Check]:
    """Show the variables of proxies and certificates; warn about missing files."""
    for name in sorted(environ, key=str.lower):
        value = environ[name]
        if not value or (name.lower() not in PROXIES and name not in CERTIFICATES):
            continue
        shown = f"{name}={without_userinfo(value)}"
        if name in CERTIFICATES and not os.path.exists(value):  # noqa: PTH110 - may be anything
            yield warning("variable", f"{shown} does not exist", f"unset {name}, or correct it")
        else:
            yield ok("variable", shown)
