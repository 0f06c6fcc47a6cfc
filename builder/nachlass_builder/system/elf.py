"""Reads of an ELF file what a dynamic loader goes by: headers and the dynamic section."""

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
"""What pyelftools raises for a damaged file: its own error only where it has looked."""


class Kind(NamedTuple):
    """What must be equal of two files for one process to load both."""

    bits: int
    little_endian: bool
    machine: str


@dataclass(frozen=True)
class Elf:
    """What a file is, which libraries it needs, and where it says that they are.

    `rpath` and `runpath` are as written: `$ORIGIN` is in them.
    """

    kind: Kind
    soname: str | None
    needed: tuple[str, ...]
    rpath: tuple[str, ...]
    runpath: tuple[str, ...]


def read_elf(path: Path) -> Elf | None:
    """The dynamic section of an ELF file; None for any other, and for one that is damaged.

    A file without the section, as a program that is linked statically, needs nothing.
    """
    try:
        if not path.is_file():  # a pipe would never be open
            return None
        with path.open("rb") as file:
            return _read(file) if file.read(len(MAGIC)) == MAGIC else None
    except (OSError, *DAMAGED):
        return None


def _read(file: BinaryIO) -> Elf:
    """The dynamic section of a file that begins as ELF files do; raises one of DAMAGED."""
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
    """The folders of search paths, which colons separate."""
    return tuple(folder for value in values for folder in value.split(":") if folder)
