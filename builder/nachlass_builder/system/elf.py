"""Reads the parts of an ELF file that a dynamic loader uses: headers and dynamic section."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

MAGIC = b"\x7fELF"

DAMAGED = (
    ELFError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)
"""The exceptions of pyelftools for a damaged file, not all of which are its own."""


class Kind(NamedTuple):
    """The properties that two files must share for one process to load both."""

    bits: int
    little_endian: bool
    machine: str


@dataclass(frozen=True)
class Elf:
    """The kind of a file, the libraries it needs, and its search paths.

    `rpath` and `runpath` are as written, with `$ORIGIN` in them.
    """

    kind: Kind
    soname: str | None
    needed: tuple[str, ...]
    rpath: tuple[str, ...]
    runpath: tuple[str, ...]


def read_elf(path: Path) -> Elf | None:
    """Return the dynamic section of an ELF file; None for any other or a damaged file.

    A file without that section, such as a statically linked program, needs nothing.
    """
    try:
        if not path.is_file():  # opening a pipe would block
            return None
        with path.open("rb") as file:
            return _read(file) if file.read(len(MAGIC)) == MAGIC else None
    except (OSError, *DAMAGED):
        return None


def _read(file: BinaryIO) -> Elf:
    """Return the dynamic section of a file with ELF magic; raise one of DAMAGED."""
    elf = ELFFile(file)
    found: dict[str, list[str]] = {"needed": [], "soname": [], "rpath": [], "runpath": []}
    for segment in elf.iter_segments("PT_DYNAMIC"):
        assert isinstance(segment, DynamicSegment)
        for tag in segment.iter_tags():
            for name, values in found.items():
                if tag.entry.d_tag == f"DT_{name.upper()}":
                    values.append(str(getattr(tag, name)))
    return Elf(
        kind=Kind(elf.elfclass, elf.little_endian, str(elf["e_machine"])),
        soname=next(iter(found["soname"]), None),
        needed=tuple(dict.fromkeys(found["needed"])),
        rpath=_folders(found["rpath"]),
        runpath=_folders(found["runpath"]),
    )


def _folders(values: list[str]) -> tuple[str, ...]:
    """Split search paths at colons."""
    return tuple(folder for value in values for folder in value.split(":") if folder)
