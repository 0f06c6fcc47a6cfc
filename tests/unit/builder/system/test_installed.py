"""Queries to dpkg about the system's packages and files."""

from pathlib import Path

from nachlass_builder.foundation.process import Deadline
from nachlass_builder.system.installed import installed_packages, owners_of

SAID = """\
diversion by dash from: /bin/sh
diversion by dash to: /bin/sh.distrib
local diversion from: /usr/lib/libmine.so.1
libgcc-s1:arm64: /lib/aarch64-linux-gnu/libgcc_s.so.1
base-files, other:arm64: /usr/lib
dpkg-query: no path found matching pattern /usr/lib/libmine.so.1
"""


def test_only_fully_installed_packages_are_listed(fake):
    fake.installed("installed zlib1g 1:1.3", "config-files libgomp1 12", "half-installed x 1")
    assert installed_packages(Deadline()) == {"zlib1g": "1:1.3"}


def test_the_packages_that_own_files_are_found(fake):
    (fake.folder / "installed").write_text(SAID)
    files = [Path("/usr/lib/aarch64-linux-gnu/libgcc_s.so.1"), Path("/usr/lib/libmine.so.1")]
    assert owners_of(files, Deadline()) == {"libgcc-s1", "base-files", "other"}


def test_an_alternatives_link_is_resolved_before_the_query(fake, tmp_path):
    (tmp_path / "libblas.so.3.11").touch()
    (tmp_path / "libblas.so.3").symlink_to(tmp_path / "libblas.so.3.11")
    (fake.folder / "installed").write_text("")
    assert owners_of([tmp_path / "libblas.so.3"], Deadline()) == set()
    assert str(tmp_path / "libblas.so.3.11") in fake.queried


def test_no_query_is_made_without_files(fake):
    (fake.folder / "installed").write_text(SAID)
    assert owners_of([], Deadline()) == set()
