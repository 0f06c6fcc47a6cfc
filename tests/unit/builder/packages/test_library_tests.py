"""The test folders of libraries: recognition, imports and removal."""

import csv

import pytest

from nachlass_builder.packages.library_tests import folder_of_tests, imported_tests, leave_out_tests


@pytest.mark.parametrize(
    ("file", "folder"),
    [
        ("pack/tests/test_a.py", "pack/tests"),
        ("pack/inner/test/data/a.csv", "pack/inner/test"),
        ("pack/tests/inner/tests/a.py", "pack/tests"),
        ("pack/testing/a.py", None),
        ("pack/test.py", None),
        ("pack/tests", None),
        ("tests/test_a.py", None),
        ("test/support/__init__.py", None),
        ("pack-1.0.dist-info/RECORD", None),
    ],
)
def test_folders_of_tests_are_recognized_only_inside_a_package(file, folder):
    found = folder_of_tests(file)
    assert (found and str(found)) == folder


@pytest.mark.parametrize(
    ("file", "text", "names"),
    [
        ("pack/a.py", "import pack.tests.common as c", ["pack.tests.common"]),
        ("pack/a.py", "import os, other.test", ["other.test"]),
        (
            "pack/a.py",
            "if x:\n    from pack.tests import (\n  x,\n y\n)",
            ["pack.tests", "pack.tests.x", "pack.tests.y"],
        ),
        ("pack/a.py", "from . import (\n  core,\n  tests,\n)", ["pack.tests"]),
        ("pack/a.py", "if x: from .tests import q", ["pack.tests", "pack.tests.q"]),
        ("pack/a.py", "def f(): a; import pkg.tests", ["pkg.tests"]),
        ("pack/a.py", "import pack.tests\nprint 'no Python of ours'", []),
        ("pack/a.py", "from pack import tests  # why", ["pack.tests"]),
        ("pack/a.py", "from .tests.common import x", ["pack.tests.common", "pack.tests.common.x"]),
        ("pack/inner/a.py", "from ..tests import x", ["pack.tests", "pack.tests.x"]),
        ("pack/inner/__init__.py", "from . import tests", ["pack.inner.tests"]),
        ("pack/a.py", "from tests import x\nimport test\nfrom test import y", []),
        ("pack/a.py", "text = 'from pack.tests import x'\n# import pack.tests", []),
        ("pack/a.py", "from pack.testing import tests_of", []),
    ],
)
def test_imports_of_test_modules_are_found(file, text, names):
    assert sorted(imported_tests(file, text)) == names


@pytest.fixture
def site_packages(tmp_path):
    files = {
        "pack/__init__.py": "",
        "pack/tests/__init__.py": "",
        "pack/tests/data/rows.csv": "1",
        "pack/inner/tests/common.py": "",
        "pack/inner/tests/not_recorded.py": "",
        "other/test/a.py": "",
        "other/b.py": "",
        "other/c.pyx": "",
        "other/c.pxd": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for name in ("pack", "other"):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        rows = [[f, "sha256=x", "1"] for f in files if f.startswith(name) and "not_" not in f]
        with (tmp_path / f"{name} of a cache").open("w") as file:
            csv.writer(file).writerows([*rows, [f"{info.name}/RECORD", "", ""]])
        (info / "RECORD").hardlink_to(tmp_path / f"{name} of a cache")
    return tmp_path


def recorded(site_packages, name):
    with (site_packages / f"{name}-1.0.dist-info/RECORD").open() as file:
        return [row[0] for row in csv.reader(file)]


def test_folders_of_tests_are_removed_unless_they_are_imported(site_packages):
    before = (site_packages / "pack of a cache").read_text()
    leave_out_tests(site_packages, {"pack.inner.tests.common.helper"})
    assert not (site_packages / "pack/tests").exists()
    assert (site_packages / "pack/inner/tests/common.py").exists()
    assert not (site_packages / "other/test").exists()
    assert {path.name for path in (site_packages / "other").iterdir()} == {"b.py"}
    assert recorded(site_packages, "other") == ["other/b.py", "other-1.0.dist-info/RECORD"]
    assert recorded(site_packages, "pack") == [
        "pack/__init__.py",
        "pack/inner/tests/common.py",
        "pack-1.0.dist-info/RECORD",
    ]
    # uv's cache has the other hard link.
    assert (site_packages / "pack of a cache").read_text() == before


def test_recorded_files_that_do_not_exist_are_ignored(site_packages):
    with (site_packages / "other-1.0.dist-info/RECORD").open("a") as record:
        record.write("gone/tests/a.py,,\n")
    leave_out_tests(site_packages, set())
    assert "gone/tests/a.py" not in recorded(site_packages, "other")


@pytest.mark.parametrize("name", ["tests/a.py", "a.pyx"])
def test_recorded_paths_outside_the_folder_are_ignored(site_packages, tmp_path_factory, name):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / name
    elsewhere.parent.mkdir(exist_ok=True)
    elsewhere.touch()
    with (site_packages / "other-1.0.dist-info/RECORD").open("a") as record:
        up = "../" * len(site_packages.parts)
        record.write(f"{elsewhere},,\n{up}{elsewhere},,\nother/{up}{elsewhere},,\n")
    leave_out_tests(site_packages, set())
    assert elsewhere.exists()


def test_files_without_a_record_are_kept(site_packages):
    leave_out_tests(site_packages, set())
    assert not (site_packages / "pack/inner/tests/common.py").exists()
    assert (site_packages / "pack/inner/tests/not_recorded.py").exists()
