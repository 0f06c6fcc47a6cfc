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
    """The packages of a machine and of its archives."""

    root: Path
    apt: bool = True
    installed: dict = field(default_factory=dict)
    missing: dict = field(default_factory=dict)
    still_missing: dict = field(default_factory=dict)
    named: dict = field(default_factory=lambda: {"libgomp.so.1": "libgomp1"})
    listed: dict = field(default_factory=dict)
    looked_through: int = 0
    asked: list = field(default_factory=list)
    unpacked: list = field(default_factory=list)

    def libraries(self, environment, search=()):
        self.looked_through += 1
        missing = self.still_missing if search else self.missing
        return Libraries([Path("/lib/libz.so.1")], missing)

    def unpack(self, packages, prefix, work, *, deadline):
        self.unpacked.append([str(package) for package in packages])
        (prefix / "usr/lib").mkdir(parents=True)

    def names(self, wanted, work, *, deadline):
        self.asked.append(list(wanted))
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


def seen_to(system, *asked, unpack=False):
    prepared = SimpleNamespace(
        deadline=Deadline(),
        unpack_into=system.root / "system" if unpack else None,
        settings=SimpleNamespace(
            cache=system.root / "cache", parameters={"LD_LIBRARY_PATH": "/mine"}
        ),
        environ={"LD_LIBRARY_PATH": "/the-machines"},
    )
    return provide(asked, system.root / "key/env", prepared, Progress())


def test_nothing_is_asked_where_nothing_is_lacking(system, capsys):
    system.installed = {"unixodbc": "2.3"}
    assert seen_to(system) == seen_to(system, ODBC) == seen_to(system, ODBC, unpack=True) == {}
    assert system.asked == system.unpacked == []
    assert capsys.readouterr().err == ""


def test_an_environment_that_lacks_nothing_is_looked_through_once(system):
    for _ in range(2):
        seen_to(system)
    assert system.looked_through == 1
    system.apt = False  # what else is installed there is not known
    seen_to(system)
    assert system.looked_through == 2


def test_a_laptop_is_told_what_it_lacks(system, capsys):
    needs(system, "libgomp.so.1", "libodd.so.3")
    assert seen_to(system, ODBC) == {}
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    needed = "warning: lightgbm/lib_lightgbm.so needs"
    assert lines == [
        f"{needed} libgomp.so.1, which this machine lacks: apt-get install libgomp1",
        f"{needed} libodd.so.3, which this machine lacks",
        "warning: apt.txt: this machine lacks packages: apt-get install unixodbc",
    ]
    assert system.unpacked == []


def test_a_laptop_without_apt_is_told_what_to_look_for(system, capsys):
    system.apt = False
    needs(system, "libgomp.so.1")
    assert seen_to(system, ODBC) == {}
    said = capsys.readouterr().err
    assert "needs libgomp.so.1, which this machine lacks\n" in said
    assert "this machine has no apt: install equivalents of unixodbc" in said
    assert system.asked == []


def test_the_archive_is_asked_once_for_each_library(system):
    needs(system, "libgomp.so.1")
    seen_to(system)
    needs(system, "libgomp.so.1", "libodd.so.3")
    seen_to(system)
    seen_to(system)
    assert system.asked == [["libgomp.so.1"], ["libodd.so.3"]]


def test_what_could_not_be_looked_up_is_looked_up_again(system, capsys):
    needs(system, "libgomp.so.1", "libodd.so.3")
    system.listed = None
    seen_to(system)
    said = capsys.readouterr().err
    assert "cannot look for packages that provide libodd.so.3: the lists cannot be" in said
    system.listed = {"libodd.so.3": "libodd-tools"}
    seen_to(system)
    assert system.asked == [["libgomp.so.1", "libodd.so.3"], ["libodd.so.3"]]
    assert "apt-get install libodd-tools" in capsys.readouterr().err


def test_an_image_unpacks_what_it_lacks_once(system, capsys):
    needs(system, "libgomp.so.1")
    for _ in range(2):
        variables = seen_to(system, ODBC, unpack=True)
        [folder] = (system.root / "system").iterdir()
        assert variables == {"LD_LIBRARY_PATH": f"/mine:{folder}/usr/lib"}
        said = capsys.readouterr().err
        assert "unpacked libgomp1: lightgbm/lib_lightgbm.so needs libgomp.so.1" in said
        assert "unpacked from apt.txt: unixodbc" in said
        assert "warning" not in said
    assert system.unpacked == [["unixodbc", "libgomp1"]]
    # Another model's packages are not this one's.
    needs(system)
    seen_to(system, ODBC, unpack=True)
    assert system.unpacked[1:] == [["unixodbc"]]


def test_packages_that_cannot_be_unpacked_leave_nothing(system, monkeypatch):
    def refuse(packages, prefix, work, *, deadline):
        (prefix / "half").touch()
        raise RequirementsError("no archive has it")

    monkeypatch.setattr(system_packages, "unpack", refuse)
    with pytest.raises(RequirementsError, match="no archive has it"):
        seen_to(system, ODBC, unpack=True)
    assert list((system.root / "system").iterdir()) == []


def test_another_version_than_the_one_that_is_there_is_lacking(system, capsys):
    system.installed = {"unixodbc": "2.3.12-2"}
    seen_to(system, AptPackage("unixodbc", "2.3.12-2"))
    assert capsys.readouterr().err == ""
    seen_to(system, AptPackage("unixodbc", "2.3.12-1"))
    assert "apt-get install unixodbc=2.3.12-1" in capsys.readouterr().err


def test_a_library_that_is_missing_all_the_same_is_told(system, capsys):
    needs(system, "libgomp.so.1", "libodd.so.3")
    system.still_missing = {"libodd.so.3": [system.root / "key/env" / PLACE]}
    seen_to(system, unpack=True)
    said = capsys.readouterr().err
    assert "lightgbm/lib_lightgbm.so needs libodd.so.3, which no package provides" in said


def test_an_image_without_apt_cannot_have_them(system):
    system.apt = False
    with pytest.raises(RequirementsError, match="this image has no apt") as refused:
        seen_to(system, ODBC, unpack=True)
    assert refused.value.place == ODBC.place


def test_an_image_is_to_have_all_that_is_loaded(system):
    """Also what this one has: the image that serves may lack it."""
    needs(system, "libgomp.so.1", "libodd.so.3")
    asked = [AptPackage("unixodbc", "2.3.12-2")]
    packages = image_packages(asked, system.root / "key/env", system.root / "cache", Progress())
    assert packages == ["libgomp1", "unixodbc=2.3.12-2", "zlib1g"]
    system.apt = False
    assert image_packages(asked, system.root / "key/env", system.root, Progress()) == [
        "unixodbc=2.3.12-2"
    ]
