"""The pip files that are read on Linux and on a Mac, and the errors for invalid ones."""

import sys
from pathlib import Path

import pytest

from nachlass_builder.foundation.errors import RequirementsError
from nachlass_builder.packages import pip_configuration
from nachlass_builder.packages.pip_configuration import configuration_files, read_values


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Create files in every location; return the variables of their user."""
    monkeypatch.setattr(pip_configuration, "MACHINE_FILE", tmp_path / "etc/pip.conf")
    monkeypatch.setattr(sys, "platform", "linux")
    for place in (
        *("etc", "xdg/pip", "more/pip", "home/.pip", "home/.config/pip", "config/pip", "venv"),
        "home/Library/Application Support/pip",
    ):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "pip.conf").write_text(f"[global]\nindex-url = {place}\n")
    return {
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_DIRS": f"{tmp_path / 'xdg'}::{tmp_path / 'more'}",
        "VIRTUAL_ENV": str(tmp_path / "venv"),
    }


@pytest.fixture
def places(tmp_path):
    """Return a function for the folders of the files that are read."""

    def places(environ):
        return [str(path.parent.relative_to(tmp_path)) for path in configuration_files(environ)]

    return places


def test_files_are_ordered_from_the_machine_to_the_environment(machine, places, tmp_path):
    everywhere = ["xdg/pip", "more/pip", "etc", "home/.pip", "home/.config/pip", "venv"]
    assert places(machine) == everywhere
    (tmp_path / "etc/pip.conf").unlink()
    assert places(machine) == [place for place in everywhere if place != "etc"]


def test_the_configuration_folder_of_the_user_can_be_set(machine, places, tmp_path):
    named = {**machine, "XDG_CONFIG_HOME": str(tmp_path / "config")}
    assert places(named)[3:] == ["home/.pip", "config/pip", "venv"]


def test_on_a_mac_the_users_file_is_in_the_library_or_as_on_linux(
    machine, places, tmp_path, monkeypatch
):
    monkeypatch.setattr(sys, "platform", "darwin")
    library = "home/Library/Application Support/pip"
    assert places(machine) == ["home/.pip", library, "venv"]
    (tmp_path / library / "pip.conf").unlink()
    (tmp_path / library).rmdir()
    named = {**machine, "XDG_CONFIG_HOME": str(tmp_path / "config")}
    assert places(named) == ["home/.pip", "home/.config/pip", "venv"]


def test_on_a_mac_the_machines_file_is_in_the_library(machine, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    shared = Path("/Library/Application Support/pip/pip.conf")
    is_file = Path.is_file
    monkeypatch.setattr(Path, "is_file", lambda path: path == shared or is_file(path))
    assert configuration_files(machine)[0] == shared


def test_the_files_of_this_user_and_python_are_read_by_default(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "python"))
    read = ["home/.pip", "home/.config/pip", "python"]
    for place in read:
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "pip.conf").touch()
    found = [path for path in configuration_files({}) if path.is_relative_to(tmp_path)]
    assert [str(path.parent.relative_to(tmp_path)) for path in found] == read


def test_the_configuration_folder_of_the_machine_has_a_default(machine, monkeypatch):
    standard = Path("/etc/xdg/pip/pip.conf")
    is_file = Path.is_file
    monkeypatch.setattr(Path, "is_file", lambda path: path == standard or is_file(path))
    del machine["XDG_CONFIG_DIRS"]
    assert configuration_files(machine)[0] == standard


def test_a_named_file_has_the_highest_priority_and_may_be_missing(machine, places, tmp_path):
    (tmp_path / "mine").mkdir()
    mine = {**machine, "PIP_CONFIG_FILE": str(tmp_path / "mine/pip.conf")}
    assert places(mine) == places(machine)
    (tmp_path / "mine/pip.conf").touch()
    assert places(mine) == ["xdg/pip", "more/pip", "etc", "venv", "mine"]


@pytest.mark.parametrize(
    ("content", "message", "line"),
    [
        (b"[global]\ntimeout = \xff\n", "the file is not UTF-8", None),
        (b"\ntimeout = 7\n", "the file is not a valid pip configuration", 2),
        (b"[global]\nx\ny\n", "the file is not a valid pip configuration", 2),
        (b"[global]\na = 1\na = 2\n", "the file is not a valid pip configuration", 3),
    ],
)
def test_an_invalid_file_is_rejected_with_its_line(machine, tmp_path, content, message, line):
    (tmp_path / "venv/pip.conf").write_bytes(content)
    with pytest.raises(RequirementsError) as caught:
        read_values(machine)
    assert caught.value.message.partition(":")[0] == message
    assert caught.value.place.file == str(tmp_path / "venv/pip.conf")
    assert caught.value.place.line == line


def test_the_names_of_options_are_normalized(machine, tmp_path):
    (tmp_path / "venv/pip.conf").write_text(
        "[install]\n--No_Index = 1\nRETRIES\t= 2\npre =\n[list]\nformat = json\n"
    )
    environ = {**machine, "PIP_EXTRA_INDEX_URL": "x", "PIP_HELP": "1", "PIP_VERSION": "1"}
    assert read_values({**environ, "PIP_CERT": "", "A_PIP_CERT": "y"}) == {
        "index-url": "home/.config/pip",
        "no-index": "1",
        "retries": "2",
        "extra-index-url": "x",
    }
