"""The package that provides a library, from an archive's file lists."""

import pytest

from nachlass_builder.foundation.errors import RequirementsError
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.system.debian_archive import packages_with_files

TRIPLET = "usr/lib/aarch64-linux-gnu"
FILES = f"""\
bin/bash                                    shells/bash
lib/aarch64-linux-gnu/libz.so.1             libs/zlib1g
{TRIPLET}/atlas/libblas.so.3                libs/libatlas3-base
{TRIPLET}/blas/libblas.so.3                 libs/libblas3
{TRIPLET}/openblas-pthread/libblas.so.3     libs/libopenblas0-pthread
{TRIPLET}/libGL.so.1                        libs/libgl1
{TRIPLET}/libGL.so.1.7.0                    libs/libgl1
{TRIPLET}/primus/libGL.so.1                 utils/primus-libs
{TRIPLET}/libOpenCL.so.1                    non-free/libs/nvidia-libopencl1,libs/ocl-icd-libopencl1
{TRIPLET}/libX11.so.6                       libs/libx11-6
{TRIPLET}/libaio.so.1t64                    libs/libaio1t64
{TRIPLET}/libgomp.so.1                      libs/libgomp1
{TRIPLET}/libgthread-2.0.so.0               libs/libglib2.0-0t64
{TRIPLET}/libtwo.so.1                       devel/libtwo1
{TRIPLET}/libtwo.so.1                       oldlibs/other,libs/libtwo-tools
{TRIPLET}/nvidia/current/libcuda.so.1       non-free/libs/libcuda1
usr/lib/x/plugins/libprivate.so.1           libs/x
usr/lib32/libgomp.so.1                      libs/lib32gomp1
usr/riscv64-linux-gnu/lib/libgomp.so.1      devel/libgomp1-riscv64-cross
usr/share/doc/a b/libgomp.so.1              doc/libgomp-doc
"""


@pytest.fixture
def bring(fake, tmp_path):
    fake.files(FILES)

    def bring(*names):
        return packages_with_files(names, tmp_path / "work", deadline=Deadline())

    return bring


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("libgomp.so.1", "libgomp1"),
        ("libGL.so.1", "libgl1"),
        ("libX11.so.6", "libx11-6"),
        ("libgthread-2.0.so.0", "libglib2.0-0t64"),
        ("libz.so.1", "zlib1g"),
        ("libblas.so.3", "libblas3"),
        ("libOpenCL.so.1", "ocl-icd-libopencl1"),
        ("libtwo.so.1", "libtwo-tools"),
    ],
)
def test_the_package_that_provides_a_library_is_found(bring, name, package):
    assert bring(name) == {name: package}


@pytest.mark.parametrize(
    "name",
    ["libnone.so.1", "libgomp.so", "libcuda.so.1", "libprivate.so.1", "libaio.so.1", "bash"],
)
def test_a_library_that_no_package_provides_is_not_found(bring, name):
    assert bring(name) == {}


def test_many_libraries_are_looked_up_at_once_in_order(bring):
    found = bring("libz.so.1", "libgomp.so.1", "libnone.so.1", "libgomp.so.1")
    assert list(found.items()) == [("libgomp.so.1", "libgomp1"), ("libz.so.1", "zlib1g")]


def test_installed_packages_are_left_out(bring, fake):
    fake.installed("installed zlib1g 1", "config-files libgomp1 1")
    assert bring("libz.so.1", "libgomp.so.1") == {"libgomp.so.1": "libgomp1"}


def test_the_same_file_in_several_archives_is_found_once(bring, fake):
    fake.list("security_main_Contents-arm64.gz", f"{TRIPLET}/libgomp.so.1   libs/libgomp1\n")
    assert bring("libgomp.so.1") == {"libgomp.so.1": "libgomp1"}


def test_no_query_is_made_without_names(bring, fake):
    assert bring() == {}
    assert fake.asked == []


def test_unreadable_file_lists_are_reported(bring, fake):
    fake.says("helper", "E: Sub-process lz4 received a segmentation fault.")
    with pytest.raises(RequirementsError, match="cannot read the Debian file lists") as caught:
        bring("libgomp.so.1")
    assert "segmentation fault" in caught.value.details
