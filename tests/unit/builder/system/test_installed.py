"""What dpkg says of the system's packages and files."""

from pathlib import Path

from nachlass_builder.foundation.process import Deadline
from nachlass_builder.system.installed import installed_packages, owners_of

SAID = """\
diversion by dash from: /bin/sh
diversion by dash to: /bin/sh.distrib
libgcc-s1:arm64: /lib/aarch64-linux-gnu/libgcc_s.so.1
base-files, other:arm64: /usr/lib
dpkg-query: no path found matching pattern /usr/lib/libmine.so.1
"""


def test_only_what_is_installed_counts(fake):
    fake.installed("installed zlib1g", "config-files libgomp1", "half-installed x")
    assert installed_packages(Deadline()) == {"zlib1g"}


def test_the_packages_that_brought_files(fake):
    (fake.folder / "installed").write_text(SAID)
    files = [Path("/usr/lib/aarch64-linux-gnu/libgcc_s.so.1"), Path("/usr/lib/libmine.so.1")]
    assert owners_of(files, Deadline()) == {"libgcc-s1", "base-files", "other"}


def test_nothing_is_asked_of_no_file(fake):
    (fake.folder / "installed").write_text(SAID)
    assert owners_of([], Deadline()) == set()
