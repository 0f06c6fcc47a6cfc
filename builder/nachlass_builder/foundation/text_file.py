"""Reads the text files of a source, written on any operating system."""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

from nachlass_builder.foundation.errors import NachlassError, Place

LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
"""The first line of a git LFS pointer."""
IS_POINTER = "only a git LFS pointer, not the file itself"
FETCH_POINTER = "fetch the file with `git lfs pull`, or in the builder's clone"


def read_text(root: Path, name: str, failure: type[NachlassError]) -> str:
    """Read a text file: UTF-8, or UTF-16 with a byte order mark, as PowerShell writes it.

    Raises `failure` if the file is not text or is a git LFS pointer.
    """
    content = (root / name).read_bytes()
    if content.startswith(LFS_POINTER):
        raise failure(IS_POINTER, place=Place(name), remedy=FETCH_POINTER)
    encoding = "utf-16" if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise failure(
            "the file is not UTF-8 text", place=Place(name), remedy="save it as UTF-8"
        ) from None
