"""Writes ELF files with headers and a dynamic section, but no code."""

import struct

X86_64, AARCH64 = 62, 183
NULL, NEEDED, STRTAB, STRSZ, SONAME, RPATH, RUNPATH = 0, 1, 5, 10, 14, 15, 29


def elf_bytes(*, needed=(), soname=None, rpath=None, runpath=None, machine=X86_64, bits=64):
    """Return the bytes of a shared library."""
    strings, tags = bytearray(b"\0"), []
    named = [(NEEDED, name) for name in needed]
    named += [(SONAME, soname), (RPATH, rpath), (RUNPATH, runpath)]
    for tag, text in named:
        if text is not None:
            tags.append((tag, len(strings)))
            strings += text.encode() + b"\0"
    header, program, word = (64, 56, "Q") if bits == 64 else (52, 32, "I")
    start = header + 2 * program
    dynamic_size = (len(tags) + 3) * 2 * struct.calcsize(word)
    tags += [(STRTAB, start + dynamic_size), (STRSZ, len(strings)), (NULL, 0)]
    dynamic = b"".join(struct.pack(f"<2{word}", *tag) for tag in tags)
    size = start + len(dynamic) + len(strings)
    ident = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1, 1]) + bytes(9)
    rest = (3, machine, 1, 0, header, 0, 0, header, program, 2, 0, 0, 0)
    segments = ((1, 5, 0, size), (2, 4, start, len(dynamic)))
    return b"".join(
        [
            ident,
            struct.pack(f"<HHI3{word}I6H", *rest),
            *(_segment(bits, *segment) for segment in segments),
            dynamic,
            bytes(strings),
        ]
    )


def _segment(bits, kind, flags, offset, size):
    place = (offset, offset, offset, size, size)
    if bits == 64:
        return struct.pack("<II6Q", kind, flags, *place, 8)
    return struct.pack("<8I", kind, *place, flags, 4)


def write_elf(path, **facts):
    """Write a shared library and its parent folders; return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(elf_bytes(**facts))
    return path
