"""The real apt and dpkg, with a local archive and with Debian's."""

import ctypes
from pathlib import Path

import pytest

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.system import apt
from nachlass_builder.system.apt import has_apt
from nachlass_builder.system.apt_txt import AptPackage
from nachlass_builder.system.debian_archive import packages_with_files
from nachlass_builder.system.policy_names import packages_named_after
from nachlass_builder.system.unpack import environment_with, unpack
from support.debian_archives import LIBRARIES, DebianArchive

pytestmark = [
    pytest.mark.starts_programs,
    pytest.mark.skipif(not has_apt(), reason="apt is missing; to enable: use Debian"),
]


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """Return a function that creates an archive, and configures apt to use only that one."""

    def make(**options):
        made = DebianArchive(tmp_path / "archive", **options)
        monkeypatch.setenv("APT_CONFIG", str(made.configuration))
        made.add("libmade1", "libmade.so.1", depends="libmade-common, bash")
        made.add("libmade-common", "libcommon.so.1")
        made.publish()
        return made

    return make


@pytest.fixture
def work(tmp_path):
    """Create a folder that only its user can access."""
    folder = tmp_path / "work"
    folder.mkdir(mode=0o700)
    return folder


@pytest.mark.parametrize("contents", ["main/Contents-{}", "Contents-{}"])
def test_the_package_that_provides_a_library_is_found(archive, work, contents):
    archive(contents=contents)
    wanted = ["libmade.so.1", "libcommon.so.1", "libnone.so.1"]
    found = packages_with_files(wanted, work, deadline=Deadline())
    assert found == {"libmade.so.1": "libmade1", "libcommon.so.1": "libmade-common"}


def test_packages_are_unpacked_with_their_dependencies(archive, work, tmp_path):
    archive()
    prefix = tmp_path / "prefix"
    before = sorted(Path("/var/cache/apt").rglob("*"))
    found = unpack([AptPackage("libmade1", "1.0")], prefix, work, deadline=Deadline())
    assert found == [("libmade-common", "1.0"), ("libmade1", "1.0")]
    assert (prefix / LIBRARIES / "libmade.so.1").read_text() == "libmade1"
    assert str(prefix / LIBRARIES) in environment_with(prefix, {})["LD_LIBRARY_PATH"].split(":")
    assert sorted(Path("/var/cache/apt").rglob("*")) == before
    assert unpack([AptPackage("bash")], prefix, work, deadline=Deadline()) == []


@pytest.mark.parametrize("text", ["nosuch", "libmade.", "libmade1=2"])
def test_a_package_that_no_archive_has_is_rejected(archive, work, tmp_path, text):
    archive()
    name, _equals, version = text.partition("=")
    package = AptPackage(name, version or None, Place("apt.txt", line=1))
    with pytest.raises(RequirementsError, match=r"^error: apt.txt, line 1: no archive of") as no:
        unpack([package], tmp_path / "prefix", work, deadline=Deadline())
    assert no.value.message.endswith(f"has {text}")
    assert not (tmp_path / "prefix").exists()


def test_unmet_dependencies_are_reported(archive, work, tmp_path):
    made = archive()
    made.add("broken", depends="nosuch (>= 3)")
    made.publish()
    with pytest.raises(RequirementsError, match="apt-get cannot fetch broken") as caught:
        unpack([AptPackage("broken")], tmp_path / "prefix", work, deadline=Deadline())
    assert "nosuch (>= 3)" in caught.value.details


def test_an_archive_without_file_lists_is_reported(archive, work):
    made = archive()
    made.files = []
    made.publish()
    with pytest.raises(RequirementsError, match="cannot fetch the Debian file lists"):
        packages_with_files(["libmade.so.1"], work, deadline=Deadline())


def test_an_archive_whose_packages_apt_does_not_copy_is_reported(archive, work, tmp_path):
    archive(method="file")
    with pytest.raises(RequirementsError, match="did not copy libmade1"):
        unpack([AptPackage("libmade1")], tmp_path / "prefix", work, deadline=Deadline())


def test_a_missing_archive_is_reported(archive, work):
    (archive().folder / "sources.list").write_text("")
    with pytest.raises(RequirementsError, match="cannot fetch the Debian package lists") as caught:
        packages_with_files(["libmade.so.1"], work, deadline=Deadline())
    assert caught.value.details == "no archive is configured in /etc/apt"


@pytest.mark.only_all("it reaches Debian's archive")
def test_packages_of_libraries_are_found_in_debians_archive(work):
    names = ["libgomp.so.1", "libGL.so.1", "libodbc.so.2", "libX11.so.6", "libnone.so.1"]
    assert packages_named_after(names, work, deadline=Deadline()) == {
        "libgomp.so.1": "libgomp1",
        "libGL.so.1": "libgl1",
        "libodbc.so.2": "libodbc2",
        "libX11.so.6": "libx11-6",
    }


@pytest.mark.only_all("it reaches Debian's archive")
def test_libraries_from_debians_archive_can_be_loaded(work, tmp_path, monkeypatch):
    (tmp_path / "status").touch()  # as if nothing were installed
    monkeypatch.setattr(apt, "INSTALLED", tmp_path / "status")
    found = unpack([AptPackage("libgomp1")], tmp_path / "prefix", work, deadline=Deadline())
    names = {package.name for package in found}
    assert "libgomp1" in names
    assert "libc6" not in names
    folder, *_more = environment_with(tmp_path / "prefix", {})["LD_LIBRARY_PATH"].split(":")
    ctypes.CDLL(f"{folder}/libgomp.so.1")
