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


def test_a_system_with_apt(fake, monkeypatch):
    assert has_apt()
    (fake.bin / "dpkg-query").unlink()
    monkeypatch.setenv("PATH", str(fake.bin))
    assert not has_apt()


def test_a_system_without_the_database_of_dpkg(fake, monkeypatch, tmp_path):
    monkeypatch.setattr(apt, "INSTALLED", tmp_path / "none")
    assert not has_apt()


def test_its_folders_are_its_own(made, fake):
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


def test_no_network(made, fake):
    fake.says("update", FAILED)
    next((fake.folder / "lists").iterdir()).unlink()
    for _again in range(2):
        with pytest.raises(RequirementsError, match="the Debian package lists") as refused:
            made.update()
    assert "resolving" in refused.value.details
    assert "secret" not in refused.value.details
    assert "http_proxy" in refused.value.remedy


def test_no_archive(made, fake):
    next((fake.folder / "lists").iterdir()).unlink()
    with pytest.raises(RequirementsError) as refused:
        made.update()
    assert refused.value.details == "no archive is configured in /etc/apt"


def test_archives_without_lists_of_files(made, fake):
    made.update()
    with pytest.raises(RequirementsError, match="cannot fetch the Debian file lists") as refused:
        made.update(contents=True)
    assert refused.value.details == "the archives in /etc/apt have none"
    made.update()


def test_a_list_of_files_that_does_not_come_whole(made, fake):
    fake.says("update", STALE)
    next((fake.folder / "lists").iterdir()).unlink()
    with pytest.raises(RequirementsError, match="cannot fetch the Debian file lists") as refused:
        made.update(contents=True)
    assert "Filesize" in refused.value.details
    assert "apt.txt" in refused.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        "E: Write error - write (28: No space left on device)",
        "E: You don't have enough free space in /tmp/work/cache/archives/.",
    ],
)
def test_a_full_disk(made, fake, text):
    made.update()
    fake.says("install", text)
    with pytest.raises(StorageError, match="fetching x: the disk is full") as refused:
        made.get("install", "x", doing="fetching x")
    assert refused.value.details == text


def test_proxies_by_the_names_that_apt_knows():
    given = {"HTTP_PROXY": "a", "https_proxy": "b", "HTTPS_PROXY": "c", "LC_ALL": "de_DE"}
    made = environment_for(given)
    assert (made["http_proxy"], made["https_proxy"], made["LC_ALL"]) == ("a", "b", "C")
    assert "no_proxy" not in made


def test_what_apt_says_of_dependencies():
    out = "Reading package lists...\n x : Depends: y (>= 2) but it is not installable\n"
    text = error_output(
        Completed(100, out, "E: Unable to correct problems\nE: Unable to correct problems")
    )
    assert text == (
        " x : Depends: y (>= 2) but it is not installable\nE: Unable to correct problems"
    )
