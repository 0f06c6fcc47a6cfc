"""Reading ELF files; damaged ones raise no exception."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nachlass_builder.system.elf import read_elf
from support.elf_files import AARCH64, elf_bytes, write_elf


@pytest.mark.parametrize("bits", [32, 64])
def test_the_facts_of_a_library_are_read(tmp_path, bits):
    written = write_elf(
        tmp_path / "a.so",
        needed=["libz.so.1", "libm.so.6", "libz.so.1"],
        soname="liba.so.1",
        runpath="$ORIGIN/../a.libs::/opt/lib",
        rpath="/old",
        machine=AARCH64,
        bits=bits,
    )
    elf = read_elf(written)
    assert elf.kind == (bits, True, "EM_AARCH64")
    assert elf.soname == "liba.so.1"
    assert elf.needed == ("libz.so.1", "libm.so.6")
    assert elf.runpath == ("$ORIGIN/../a.libs", "/opt/lib")
    assert elf.rpath == ("/old",)


@pytest.mark.parametrize(
    "content", [b"", b"\x7fEL", b"!<arch>\nlibz.a", b"INPUT(libc.so.6)", b"MZ\x90\0", b"\x7fELF"]
)
def test_other_files_are_not_elf_files(tmp_path, content):
    (tmp_path / "a.so").write_bytes(content)
    assert read_elf(tmp_path / "a.so") is None


def test_special_and_missing_files_are_not_elf_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert read_elf(tmp_path / "pipe") is None
    assert read_elf(tmp_path) is None
    assert read_elf(tmp_path / "none") is None


def test_a_truncated_library_raises_nothing(tmp_path):
    whole = elf_bytes(needed=["libz.so.1"], soname="liba.so.1")
    for length in range(len(whole)):
        (tmp_path / "a.so").write_bytes(whole[:length])
        read_elf(tmp_path / "a.so")


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged") / "a.so"


@given(st.dictionaries(st.integers(4, 300), st.integers(0, 255), min_size=1, max_size=12))
def test_a_damaged_library_raises_nothing(damaged, changes):
    content = bytearray(elf_bytes(needed=["libz.so.1", "libgomp.so.1"], runpath="$ORIGIN"))
    for place, value in changes.items():
        content[place % len(content)] = value
    damaged.write_bytes(b"\x7fELF" + content[4:])
    read_elf(damaged)
