"""Debian's archive, apt and dpkg as they are on this machine."""

import ctypes

import pytest

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.system import apt, debian_archive
from nachlass_builder.system.apt_txt import AptPackage
from nachlass_builder.system.unpack import environment_with, unpack

pytestmark = [
    pytest.mark.starts_programs,
    pytest.mark.needs("apt-get", "use Debian"),
    pytest.mark.only_all("it reaches Debian's archive"),
]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("apt")


def test_which_packages_bring_libraries(work, monkeypatch):
    monkeypatch.setattr(debian_archive, "_installed", lambda _apt: set())
    names = ["libgomp.so.1", "libGL.so.1", "libodbc.so.2", "libX11.so.6", "libnone.so.1"]
    assert debian_archive.packages_that_bring(names, work, deadline=Deadline()) == {
        "libgomp.so.1": "libgomp1",
        "libGL.so.1": "libgl1",
        "libodbc.so.2": "libodbc2",
        "libX11.so.6": "libx11-6",
    }


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """The machine, as if dpkg had installed nothing but what the C library is of."""
    status = tmp_path / "status"
    status.touch()
    monkeypatch.setattr(apt, "INSTALLED", status)


def test_unpacked_libraries_can_be_loaded(bare, tmp_path):
    found = unpack([AptPackage("libgomp1")], tmp_path / "a", tmp_path / "w", deadline=Deadline())
    assert "libgomp1" in {package.name for package in found}
    assert "libc6" not in {package.name for package in found}
    folder, *_more = environment_with(tmp_path / "a", {})["LD_LIBRARY_PATH"].split(":")
    ctypes.CDLL(f"{folder}/libgomp.so.1")


def test_a_package_that_no_archive_has(work, tmp_path):
    package = AptPackage("nosuch.", place=Place("apt.txt", line=1))
    with pytest.raises(RequirementsError, match=r"has nosuch\.\n") as refused:
        unpack([package], tmp_path, work, deadline=Deadline())
    assert refused.value.place == package.place
