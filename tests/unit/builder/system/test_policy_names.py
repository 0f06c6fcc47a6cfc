"""The package of a library, from its name under Debian's policy."""

import pytest

from nachlass_builder.foundation.process import Deadline
from nachlass_builder.system.policy_names import packages_named_after

NAMES = ["libgomp1", "libgl1", "libx11-6", "libglib2.0-0t64", "libodbc2", "libssl3t64", "zlib1g"]


@pytest.fixture
def named(fake, tmp_path):
    fake.has(NAMES)

    def find(*names):
        return packages_named_after(names, tmp_path / "work", deadline=Deadline())

    return find


@pytest.mark.parametrize(
    ("soname", "package"),
    [
        ("libgomp.so.1", "libgomp1"),
        ("libGL.so.1", "libgl1"),
        ("libX11.so.6", "libx11-6"),
        ("libglib-2.0.so.0", "libglib2.0-0t64"),
        ("libodbc.so.2", "libodbc2"),
        ("libssl.so.3", "libssl3t64"),
    ],
)
def test_the_package_named_after_a_library_is_found(named, soname, package):
    assert named(soname) == {soname: package}


@pytest.mark.parametrize("soname", ["libz.so.1", "libgthread-2.0.so.0", "libgomp.so", "odd"])
def test_a_library_that_does_not_follow_the_policy_is_left_out(named, soname):
    assert named(soname) == {}


def test_no_query_is_made_without_names(named, fake):
    assert named() == {}
    assert fake.asked == []
