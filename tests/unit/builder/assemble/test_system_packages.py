"""The system packages of a model: reported on a laptop, unpacked in an image."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from nachlass_builder.assemble import system_packages
from nachlass_builder.assemble.system_packages import image_packages, provide
from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.system.apt_txt import AptPackage
from nachlass_builder.system.shared_libraries import Libraries

ODBC = AptPackage("unixodbc", place=Place("apt.txt", line=1))
PLACE = "lib/python3/site-packages/lightgbm/lib_lightgbm.so"


@dataclass
class System:
    """The packages of a machine and of its archives; replaces apt and dpkg."""

    root: Path
    apt: bool = True
    installed: dict = field(default_factory=dict)
    missing: dict = field(default_factory=dict)
    still_missing: dict = field(default_factory=dict)
    named: dict = field(default_factory=lambda: {"libgomp.so.1": "libgomp1"})
    listed: dict = field(default_factory=dict)
    looked_through: int = 0
    queried: list = field(default_factory=list)
    unpacked: list = field(default_factory=list)

    def libraries(self, environment, search=()):
        self.looked_through += 1
        missing = self.still_missing if search else self.missing
        return Libraries([Path("/lib/libz.so.1")], missing)

    def unpack(self, packages, prefix, work, *, deadline):
        self.unpacked.append([str(package) for package in packages])
        (prefix / "usr/lib").mkdir(parents=True)

    def names(self, wanted, work, *, deadline):
        self.queried.append(list(wanted))
        return {name: self.named[name] for name in wanted if name in self.named}

    def files(self, wanted, work, *, deadline):
        if self.listed is None:
            raise RequirementsError("the lists cannot be fetched")
        return {name: self.listed[name] for name in wanted if name in self.listed}


@pytest.fixture
def system(tmp_path, monkeypatch):
    made = System(tmp_path)
    for name, stand_in in {
        "has_apt": lambda: made.apt,
        "installed_packages": lambda deadline: made.installed,
        "owners_of": lambda files, deadline: {"zlib1g"} if list(files) else set(),
        "system_state": lambda: "state",
        "libraries_of": made.libraries,
        "unpack": made.unpack,
        "packages_named_after": made.names,
        "packages_with_files": made.files,
    }.items():
        monkeypatch.setattr(system_packages, name, stand_in)
    return made


def needs(system, *names):
    system.missing = {name: [system.root / "key/env" / PLACE] for name in names}


def run_provide(system, *requested, unpack=False):
    prepared = SimpleNamespace(
        deadline=Deadline(),
        unpack_into=system.root / "system" if unpack else None,
        settings=SimpleNamespace(
            cache=system.root / "cache", parameters={"LD_LIBRARY_PATH": "/mine"}
        ),
        environ={"LD_LIBRARY_PATH": "/the-machines"},
    )
    return provide(requested, system.root / "key/env", prepared, Progress())


def test_no_archive_is_queried_if_nothing_is_missing(system, capsys):
    system.installed = {"unixodbc": "2.3"}
    assert (
        run_provide(system)
        == run_provide(system, ODBC)
        == run_provide(system, ODBC, unpack=True)
        == {}
    )
    assert system.queried == system.unpacked == []
    assert capsys.readouterr().err == ""


def test_a_complete_environment_is_scanned_once(system):
    for _ in range(2):
        run_provide(system)
    assert system.looked_through == 1
    system.apt = False  # without apt, other installed packages are unknown
    run_provide(system)
    assert system.looked_through == 2


def test_missing_packages_are_reported_on_a_laptop(system, capsys):
    needs(system, "libgomp.so.1", "libodd.so.3")
    assert run_provide(system, ODBC) == {}
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    needed = "warning: lightgbm/lib_lightgbm.so needs"
    assert lines == [
        f"{needed} libgomp.so.1, which this machine lacks: apt-get install libgomp1",
        f"{needed} libodd.so.3, which this machine lacks",
        "warning: apt.txt: this machine lacks packages: apt-get install unixodbc",
    ]
    assert system.unpacked == []


def test_missing_packages_are_reported_without_apt(system, capsys):
    system.apt = False
    needs(system, "libgomp.so.1")
    assert run_provide(system, ODBC) == {}
    output = capsys.readouterr().err
    assert "needs libgomp.so.1, which this machine lacks\n" in output
    assert "this machine has no apt: install equivalents of unixodbc" in output
    assert system.queried == []


def test_the_archive_is_queried_once_for_each_library(system):
    needs(system, "libgomp.so.1")
    run_provide(system)
    needs(system, "libgomp.so.1", "libodd.so.3")
    run_provide(system)
    run_provide(system)
    assert system.queried == [["libgomp.so.1"], ["libodd.so.3"]]


def test_a_failed_lookup_is_repeated(system, capsys):
    needs(system, "libgomp.so.1", "libodd.so.3")
    system.listed = None
    run_provide(system)
    output = capsys.readouterr().err
    assert "cannot look for packages that provide libodd.so.3: the lists cannot be" in output
    system.listed = {"libodd.so.3": "libodd-tools"}
    run_provide(system)
    assert system.queried == [["libgomp.so.1", "libodd.so.3"], ["libodd.so.3"]]
    assert "apt-get install libodd-tools" in capsys.readouterr().err


def test_missing_packages_are_unpacked_once_in_an_image(system, capsys):
    needs(system, "libgomp.so.1")
    for _ in range(2):
        variables = run_provide(system, ODBC, unpack=True)
        [folder] = (system.root / "system").iterdir()
        assert variables == {"LD_LIBRARY_PATH": f"/mine:{folder}/usr/lib"}
        output = capsys.readouterr().err
        assert "unpacked libgomp1: lightgbm/lib_lightgbm.so needs libgomp.so.1" in output
        assert "unpacked from apt.txt: unixodbc" in output
        assert "warning" not in output
    assert system.unpacked == [["unixodbc", "libgomp1"]]
    # The packages of another model are separate.
    needs(system)
    run_provide(system, ODBC, unpack=True)
    assert system.unpacked[1:] == [["unixodbc"]]


def test_a_failed_unpacking_leaves_no_files(system, monkeypatch):
    def refuse(packages, prefix, work, *, deadline):
        (prefix / "half").touch()
        raise RequirementsError("no archive has it")

    monkeypatch.setattr(system_packages, "unpack", refuse)
    with pytest.raises(RequirementsError, match="no archive has it"):
        run_provide(system, ODBC, unpack=True)
    assert list((system.root / "system").iterdir()) == []


def test_a_package_installed_in_another_version_is_missing(system, capsys):
    system.installed = {"unixodbc": "2.3.12-2"}
    run_provide(system, AptPackage("unixodbc", "2.3.12-2"))
    assert capsys.readouterr().err == ""
    run_provide(system, AptPackage("unixodbc", "2.3.12-1"))
    assert "apt-get install unixodbc=2.3.12-1" in capsys.readouterr().err


def test_a_library_that_no_package_provides_is_reported(system, capsys):
    needs(system, "libgomp.so.1", "libodd.so.3")
    system.still_missing = {"libodd.so.3": [system.root / "key/env" / PLACE]}
    run_provide(system, unpack=True)
    output = capsys.readouterr().err
    assert "lightgbm/lib_lightgbm.so needs libodd.so.3, which no package provides" in output


def test_an_image_without_apt_rejects_system_packages(system):
    system.apt = False
    with pytest.raises(RequirementsError, match="this image has no apt") as caught:
        run_provide(system, ODBC, unpack=True)
    assert caught.value.place == ODBC.place


def test_the_packages_for_an_image_include_every_loaded_library(system):
    """Include libraries that this machine has: the image may lack them."""
    needs(system, "libgomp.so.1", "libodd.so.3")
    requested = [AptPackage("unixodbc", "2.3.12-2")]
    packages = image_packages(requested, system.root / "key/env", system.root / "cache", Progress())
    assert packages == ["libgomp1", "unixodbc=2.3.12-2", "zlib1g"]
    system.apt = False
    assert image_packages(requested, system.root / "key/env", system.root, Progress()) == [
        "unixodbc=2.3.12-2"
    ]
