"""Unpacking Debian packages below a folder."""

import pytest

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.system import unpack as module
from nachlass_builder.system.apt_txt import AptPackage
from nachlass_builder.system.unpack import environment_with, unpack

LIBRARIES = "usr/lib/x86_64-linux-gnu"


@pytest.fixture
def unpacked(fake, tmp_path):
    def unpacked(*packages):
        work = tmp_path / "work"
        return unpack(packages, tmp_path / "prefix", work, deadline=Deadline())

    return unpacked


def test_packages_are_unpacked_without_those_of_the_system(unpacked, fake, tmp_path):
    fake.package("libodbc2", "2.3.11-2")
    fake.package("unixodbc", "2.3.11-2")
    fake.package("libc6", "2.36-9")
    found = unpacked(AptPackage("unixodbc", "2.3.11-2"), AptPackage("libodbc2"))
    assert found == [("libodbc2", "2.3.11-2"), ("unixodbc", "2.3.11-2")]
    assert fake.asked[1].endswith(
        "install --download-only --yes --quiet --no-install-recommends --no-upgrade --no-remove"
        " -- unixodbc=2.3.11-2 libodbc2"
    )
    unpacked_names = sorted(path.name for path in (tmp_path / "prefix/usr/lib/x").iterdir())
    assert unpacked_names == ["libodbc2_2.3.11-2_arm64.deb", "unixodbc_2.3.11-2_arm64.deb"]


def test_each_call_unpacks_only_the_requested_packages(unpacked, fake):
    fake.package("a", "1")
    assert unpacked(AptPackage("a")) == [("a", "1")]
    (fake.folder / "debs/a_1_arm64.deb").unlink()
    fake.package("b", "1")
    assert unpacked(AptPackage("b")) == [("b", "1")]


def test_packages_of_the_system_are_not_unpacked(unpacked, fake):
    fake.package("libc6", "2.36-9")
    assert unpacked(AptPackage("bash")) == []


def test_nothing_is_fetched_without_packages(unpacked, fake):
    assert unpacked() == []
    assert fake.asked == []


@pytest.mark.parametrize(
    "output",
    [
        "E: Unable to locate package nosuch",
        "E: Unable to locate package nosuch\nE: Couldn't find any package by glob 'nosuch'",
        "E: Version '1' for 'nosuch' was not found",
        "E: Package 'nosuch' has no installation candidate",
    ],
)
def test_a_package_that_no_archive_has_is_rejected(unpacked, fake, output, monkeypatch):
    monkeypatch.setattr(
        module.platform, "freedesktop_os_release", lambda: {"PRETTY_NAME": "Debian 12"}
    )
    fake.says("install", output)
    with pytest.raises(RequirementsError) as caught:
        unpacked(AptPackage("libgomp1"), AptPackage("nosuch", "1", Place("apt.txt", line=3)))
    assert caught.value.message == "no archive of Debian 12 has nosuch=1"
    assert str(caught.value.place) == "apt.txt, line 3"
    assert caught.value.details == output
    assert "packages.debian.org" in caught.value.remedy


def test_a_system_without_a_name_is_called_this_system(unpacked, fake, monkeypatch):
    def unknown():
        raise OSError

    monkeypatch.setattr(module.platform, "freedesktop_os_release", unknown)
    fake.says("install", "E: Unable to locate package nosuch")
    with pytest.raises(RequirementsError, match="no archive of this system has nosuch"):
        unpacked(AptPackage("nosuch"))


def test_a_failed_download_is_reported(unpacked, fake):
    fake.says("install", "E: Failed to fetch http://deb.debian.org/a.deb  404  Not Found")
    with pytest.raises(RequirementsError, match="apt-get cannot fetch a, b") as caught:
        unpacked(AptPackage("a"), AptPackage("b"))
    assert "404" in caught.value.details


def test_a_damaged_package_is_reported(unpacked, fake):
    fake.package("a", "1")
    fake.says("unpack", "dpkg-deb: error: lzma error: compressed data is corrupt")
    with pytest.raises(RequirementsError, match="a cannot be unpacked") as caught:
        unpacked(AptPackage("a"))
    assert "corrupt" in caught.value.details


def test_variables_for_the_unpacked_folders_are_set(tmp_path):
    for name in (f"{LIBRARIES}/pulseaudio", "lib/x86_64-linux-gnu", "usr/bin", "sbin", "usr/share"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / LIBRARIES / "pulseaudio/libpulsecommon-16.1.so").touch()
    (tmp_path / LIBRARIES / "perl").mkdir()
    folders = [LIBRARIES, "lib/x86_64-linux-gnu", "usr/lib", "lib", f"{LIBRARIES}/pulseaudio"]
    libraries = ":".join(str(tmp_path / name) for name in folders)
    programs = f"{tmp_path}/usr/bin:{tmp_path}/sbin"
    assert environment_with(tmp_path, {}) == {"LD_LIBRARY_PATH": libraries, "PATH": programs}
    assert environment_with(tmp_path, {"LD_LIBRARY_PATH": "/a:/b", "PATH": "/usr/bin"}) == {
        "LD_LIBRARY_PATH": f"/a:/b:{libraries}",
        "PATH": f"/usr/bin:{programs}",
    }


def test_no_variables_are_set_without_folders(tmp_path):
    assert environment_with(tmp_path, {"PATH": "/usr/bin"}) == {}
