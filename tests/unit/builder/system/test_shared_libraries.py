"""The missing libraries of an environment's compiled files, by the rules of the loader."""

import os

import pytest

from nachlass_builder.system import shared_libraries
from nachlass_builder.system.shared_libraries import libraries_of
from support.elf_files import AARCH64, write_elf

GLIBC, MUSL = "libc.so.6", "libc.musl-x86_64.so.1"


class Machine:
    """A system with the C library, and an environment with an interpreter."""

    def __init__(self, folder):
        self.system, self.environment = folder / "lib", folder / "venv"
        self.site = self.environment / "lib/python3.11/site-packages"
        self.write("lib/libc.so.6", soname=GLIBC)
        self.write("usr/bin/python", needed=[GLIBC])
        (self.environment / "bin").mkdir(parents=True)
        (self.environment / "bin/python").symlink_to(folder / "usr/bin/python")

    def write(self, name, **facts):
        return write_elf(self.environment.parent / name, **facts)

    def add(self, name, **facts):
        return write_elf(self.site / name, **facts)

    def missing(self, *search):
        found = libraries_of(self.environment, search, system=[self.system]).missing
        return {name: [path.name for path in paths] for name, paths in found.items()}


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_missing_libraries_are_listed_with_the_files_that_need_them(machine):
    machine.add("lightgbm/lib/lib_lightgbm.so", needed=["libgomp.so.1", GLIBC])
    machine.add("b/_b.cpython-311.so", needed=["libgomp.so.1", "libodbc.so.2"])
    machine.add("b/_a.cpython-311.so", needed=["libc.so.6"])
    assert list(machine.missing().items()) == [
        ("libgomp.so.1", ["_b.cpython-311.so", "lib_lightgbm.so"]),
        ("libodbc.so.2", ["_b.cpython-311.so"]),
    ]


def test_installed_libraries_are_not_missing(machine):
    machine.write("lib/libgomp.so.1", soname="libgomp.so.1")
    machine.add("a.so", needed=["libgomp.so.1"])
    assert machine.missing() == {}


@pytest.mark.parametrize("name", ["rpath", "runpath"])
@pytest.mark.parametrize("origin", ["$ORIGIN", "${ORIGIN}"])
def test_the_rpath_and_runpath_of_a_file_are_searched(machine, name, origin):
    machine.write("vendor/libz.so.1")
    path = f"/none:{origin}/../../../../../vendor"
    machine.add("a/_a.so", needed=["libz.so.1"], **{name: path})
    machine.add("b.so", needed=["libz.so.1"])
    assert machine.missing() == {"libz.so.1": ["b.so"]}


def test_a_runpath_overrides_the_rpath(machine):
    machine.write("vendor/libz.so.1")
    vendor = str(machine.environment.parent / "vendor")
    machine.add("a.so", needed=["libz.so.1"], rpath=vendor, runpath="/none")
    assert machine.missing() == {"libz.so.1": ["a.so"]}


def test_ld_library_path_is_searched(machine):
    machine.add("a.so", needed=["libz.so.1"])
    other = machine.write("other/libz.so.1").parent
    assert machine.missing(other, other / "none") == {}


def test_a_name_with_a_slash_is_a_path(machine):
    machine.write("vendor/libz.so.1")
    machine.add("a.so", needed=[str(machine.environment.parent / "vendor/libz.so.1"), "/x/liby.so"])
    assert machine.missing() == {"/x/liby.so": ["a.so"]}


def test_libraries_of_other_packages_are_found(machine):
    """Find no missing libraries if other packages have them, like nvidia's for torch."""
    machine.add("torch/lib/libtorch.so", needed=["libcudart.so.13", "libnccl.so.2", "libx.so.1"])
    machine.add("nvidia/lib/libcudart.so.13")
    machine.add("nvidia/lib/renamed.so", soname="libnccl.so.2")
    (machine.site / "nvidia/lib/libx.so.1").symlink_to("renamed.so")
    assert machine.missing() == {}


def test_the_dependencies_of_system_libraries_are_checked(machine):
    machine.write("lib/libgl.so.1", needed=["libglx.so.0", "libdrm.so.2"], soname="libgl.so.1")
    machine.write("lib/libglx.so.0", needed=["libgl.so.1", "libX11.so.6"])
    machine.add("a.so", needed=["libgl.so.1"])
    assert machine.missing() == {"libX11.so.6": ["libglx.so.0"], "libdrm.so.2": ["libgl.so.1"]}


def test_a_library_for_another_architecture_does_not_count(machine):
    machine.write("lib/libz.so.1", machine=AARCH64)
    machine.write("other/libz.so.1", bits=32)
    (machine.system / "libgcc.so").write_text("GROUP ( libgcc_s.so.1 )")
    machine.add("a.so", needed=["libz.so.1", "libgcc.so"])
    other = machine.environment.parent / "other"
    assert machine.missing(other) == {"libgcc.so": ["a.so"], "libz.so.1": ["a.so"]}


@pytest.mark.parametrize(
    "facts", [{"machine": AARCH64}, {"bits": 32}, {"needed": ["liba.so.1", MUSL]}]
)
def test_files_for_other_systems_are_ignored(machine, facts):
    machine.add("other.so", **{"needed": ["liba.so.1"], "soname": "libz.so.1", **facts})
    machine.add("a.so", needed=["libz.so.1"])
    assert machine.missing() == {"libz.so.1": ["a.so"]}


def test_a_musl_system_is_supported(machine):
    (machine.system / "libc.so.6").unlink()
    machine.write("lib/libc.musl-x86_64.so.1")
    machine.write("usr/bin/python", needed=[MUSL])
    machine.add("helper", needed=[GLIBC, "ld-linux-x86-64.so.2", "libpthread.so.0"])
    machine.add("a.so", needed=[MUSL, "libstdc++.so.6"])
    assert machine.missing() == {"libstdc++.so.6": ["a.so"]}


def test_libraries_loaded_by_the_interpreter_are_found(machine):
    machine.write("usr/lib/libpython3.11.so.1.0", soname="libpython3.11.so.1.0")
    machine.write(
        "usr/bin/python", needed=[GLIBC, "libpython3.11.so.1.0"], runpath="$ORIGIN/../lib"
    )
    machine.add("a.so", needed=["libpython3.11.so.1.0"])
    assert machine.missing() == {}


def test_the_rpath_of_the_interpreter_applies_to_every_file(machine):
    """Search the interpreter's rpath, as conda's Python does for wheels."""
    machine.write("usr/lib/libgomp.so.1")
    machine.write("usr/bin/python", needed=[GLIBC], rpath="$ORIGIN/../lib")
    machine.add("a.so", needed=["libgomp.so.1"])
    machine.add("b.so", needed=["libgomp.so.1"], runpath="/none")
    assert machine.missing() == {"libgomp.so.1": ["b.so"]}


def test_linked_files_are_read_once(machine, monkeypatch):
    read = []
    real = shared_libraries.read_elf
    monkeypatch.setattr(
        shared_libraries, "read_elf", lambda path: (read.append(path.name), real(path))[1]
    )
    file = machine.add("liba.so.1.2", needed=["libz.so.1"])
    (machine.site / "a").mkdir()
    (machine.site / "a/liba.so").symlink_to(file)
    os.link(file, machine.site / "a/copy.so")
    (machine.site / "a/gone.so").symlink_to("nowhere")
    (machine.site / "a/loop").symlink_to(machine.site)
    assert list(machine.missing().values()) in ([["liba.so.1.2"]], [["copy.so"]])
    assert len([name for name in read if name.endswith(("so", "1.2"))]) == 1


def test_an_environment_of_links_is_read(machine):
    """Read an environment of links only, which uv can create."""
    machine.write("cache/liba/_a.so", needed=["libb.so.1"], runpath="$ORIGIN/../a.libs")
    machine.add("a.libs/libb.so.1")
    (machine.site / "a").mkdir()
    (machine.site / "a/_a.so").symlink_to(machine.environment.parent / "cache/liba/_a.so")
    assert machine.missing() == {}


def test_other_and_damaged_files_are_ignored(machine):
    machine.add("a.py", needed=["libz.so.1"])
    os.mkfifo(machine.site / "pipe")
    (machine.site / "text.so").write_text("text")
    (machine.site / "damaged.so").write_bytes(b"\x7fELF\2\1\1")
    assert machine.missing() == {}


def test_nothing_is_missing_on_a_system_without_elf_files(machine, tmp_path, monkeypatch):
    """Find nothing missing on a system like macOS."""
    (tmp_path / "usr/bin/python").write_bytes(b"\xcf\xfa\xed\xfe")
    monkeypatch.setattr(shared_libraries.sys, "executable", str(tmp_path / "usr/bin/python"))
    machine.add("a.so", needed=["libz.so.1"])
    assert machine.missing() == {}


def test_a_folder_without_an_interpreter_can_be_checked(machine, tmp_path, monkeypatch):
    monkeypatch.setattr(shared_libraries.sys, "executable", str(tmp_path / "usr/bin/python"))
    (machine.environment / "bin/python").unlink()
    machine.add("a.so", needed=["libz.so.1"])
    assert machine.missing() == {"libz.so.1": ["a.so"]}


def test_the_environment_of_the_tests_is_complete():
    """Check the interpreter that runs the tests, which lacks nothing."""
    import sys
    from pathlib import Path

    assert "libc.so.6" not in libraries_of(Path(sys.prefix)).missing
