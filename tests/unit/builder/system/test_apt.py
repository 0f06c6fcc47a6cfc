"""apt with private folders: its configuration and its errors."""

import pytest

from nachlass_builder.foundation.errors import RequirementsError, StorageError
from nachlass_builder.foundation.process import Completed, Deadline
from nachlass_builder.system import apt
from nachlass_builder.system.apt import Apt, environment_for, error_output, has_apt

FAILED = """\
Ign:1 http://deb.debian.org/debian bookworm InRelease
Err:1 http://deb.debian.org/debian bookworm InRelease
  Temporary failure resolving 'deb.debian.org'
W: Failed to fetch http://me:secret@deb.debian.org/InRelease  Temporary failure resolving
W: Some index files failed to download. They have been ignored, or old ones used instead.
"""
STALE = """\
E: Failed to fetch http://deb.debian.org/debian/dists/trixie/main/Contents-amd64.gz  Bad size
   Hashes of expected file:
    - Filesize:12699567 [weak]
"""


@pytest.fixture
def made(fake, tmp_path):
    return Apt(tmp_path / "work", Deadline())


def test_a_system_with_apt_is_recognized(fake, monkeypatch):
    assert has_apt()
    (fake.bin / "dpkg-query").unlink()
    monkeypatch.setenv("PATH", str(fake.bin))
    assert not has_apt()


def test_a_system_without_the_dpkg_database_has_no_apt(fake, monkeypatch, tmp_path):
    monkeypatch.setattr(apt, "INSTALLED", tmp_path / "none")
    assert not has_apt()


def test_apt_uses_private_folders(made, fake):
    (fake.folder / "status").write_text("Package: bash\n")
    made.update()
    configuration = (made.work / "apt.conf").read_text()
    assert f'Dir::State "{made.work}/state";' in configuration
    assert f'Dir::Cache "{made.work}/cache";' in configuration
    assert (made.work / "state/status").read_text() == "Package: bash\n"
    assert 'MetaKey "$(COMPONENT)/Contents-arm64";' in configuration
    assert fake.asked == [f"-c {made.work}/apt.conf update --quiet"]


def test_lists_are_fetched_once(made, fake):
    made.update()
    made.update()
    assert len(fake.asked) == 1
    assert 'DefaultEnabled "false"' in (made.work / "apt.conf").read_text()
    fake.files("")
    made.update(contents=True)
    made.update(contents=True)
    made.update()
    assert len(fake.asked) == 2
    assert 'DefaultEnabled "true"' in (made.work / "apt.conf").read_text()


def test_a_network_failure_is_reported(made, fake):
    fake.says("update", FAILED)
    next((fake.folder / "lists").iterdir()).unlink()
    for _again in range(2):
        with pytest.raises(RequirementsError, match="the Debian package lists") as caught:
            made.update()
    assert "resolving" in caught.value.details
    assert "secret" not in caught.value.details
    assert "http_proxy" in caught.value.remedy


def test_a_missing_archive_is_reported(made, fake):
    next((fake.folder / "lists").iterdir()).unlink()
    with pytest.raises(RequirementsError) as caught:
        made.update()
    assert caught.value.details == "no archive is configured in /etc/apt"


def test_archives_without_file_lists_are_reported(made, fake):
    made.update()
    with pytest.raises(RequirementsError, match="cannot fetch the Debian file lists") as caught:
        made.update(contents=True)
    assert caught.value.details == "the archives in /etc/apt have none"
    made.update()


def test_an_incomplete_file_list_is_reported(made, fake):
    fake.says("update", STALE)
    next((fake.folder / "lists").iterdir()).unlink()
    with pytest.raises(RequirementsError, match="cannot fetch the Debian file lists") as caught:
        made.update(contents=True)
    assert "Filesize" in caught.value.details
    assert "apt.txt" in caught.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        "E: Write error - write (28: No space left on device)",
        "E: You don't have enough free space in /tmp/work/cache/archives/.",
    ],
)
def test_a_full_disk_is_reported(made, fake, text):
    made.update()
    fake.says("install", text)
    with pytest.raises(StorageError, match="fetching x: the disk is full") as caught:
        made.get("install", "x", doing="fetching x")
    assert caught.value.details == text


def test_proxy_variables_are_renamed_for_apt():
    given = {"HTTP_PROXY": "a", "https_proxy": "b", "HTTPS_PROXY": "c", "LC_ALL": "de_DE"}
    made = environment_for(given)
    assert (made["http_proxy"], made["https_proxy"], made["LC_ALL"]) == ("a", "b", "C")
    assert "no_proxy" not in made


def test_messages_of_apt_about_dependencies_are_extracted():
    out = "Reading package lists...\n x : Depends: y (>= 2) but it is not installable\n"
    text = error_output(
        Completed(100, out, "E: Unable to correct problems\nE: Unable to correct problems")
    )
    assert text == (
        " x : Depends: y (>= 2) but it is not installable\nE: Unable to correct problems"
    )
