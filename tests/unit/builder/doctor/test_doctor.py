"""The checks of `nachlass doctor` that need no network."""

import os
from collections import namedtuple

import pytest

from nachlass_builder.doctor.check import exit_code
from nachlass_builder.doctor.doctor import run_checks
from nachlass_builder.doctor.machine import check_folder, check_variables
from nachlass_builder.doctor.tools import (
    check_compiler,
    check_engines,
    check_git,
    check_python,
    check_uv,
)
from nachlass_builder.foundation.errors import FREE_SPACE
from nachlass_builder.packages import uv_program
from nachlass_builder.packages.pip_settings import IndexSettings


def program(folder, name, script="echo"):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Create the only folder on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_git_is_required(path):
    [found] = check_git()
    assert (found.state, found.message, found.exit_code) == ("error", "git is not installed", 3)
    program(path, "git", "echo git version 2.1")
    [found] = check_git()
    assert (found.state, found.message) == ("ok", f"git version 2.1 ({path}/git)")


def test_a_program_without_a_version_is_accepted(path):
    program(path, "git", "exit 1")
    [found] = check_git()
    assert found.message == f"git ({path}/git)"


def test_the_engine_for_images_is_reported(path):
    [found] = check_engines()
    assert (found.state, found.exit_code) == ("warning", 0)
    assert "nachlass image cannot work" in found.message
    for name in ("docker", "buildah"):
        program(path, name)
    [found] = check_engines()
    also = "; also installed: docker"
    assert found.message == f"nachlass image uses buildah ({path}/buildah){also}"


def test_a_missing_compiler_is_a_warning(path):
    [found] = check_compiler({})
    assert (found.state, found.exit_code) == ("warning", 0)
    program(path, "icc")
    [found] = check_compiler({"CC": "icc -O2"})
    assert found.message == f"{path}/icc, for packages without wheels"


def test_a_missing_uv_is_an_error(monkeypatch):
    def find():
        raise FileNotFoundError

    monkeypatch.setattr(uv_program, "find_uv_bin", find)
    [found] = check_uv()
    assert (found.state, found.exit_code) == ("error", 5)
    assert list(check_python(IndexSettings())) == []


@pytest.mark.starts_programs
def test_this_python_can_create_environments():
    [found] = check_python(IndexSettings(environ=dict(os.environ)))
    assert found.state == "ok", found
    assert found.message.endswith("it can create environments")


def test_the_size_and_free_space_of_a_folder_are_reported(tmp_path, monkeypatch):
    [found] = check_folder("cache", tmp_path / "not" / "yet")
    assert found.state == "ok"
    assert found.message.startswith(f"{tmp_path}/not/yet, ")
    assert not (tmp_path / "not").exists()
    (tmp_path / "file").write_bytes(bytes(2_000_000))
    [found] = check_folder("cache", tmp_path, with_size=True)
    assert found.message.startswith(f"{tmp_path}, 2.0 MB, ")
    Usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(1, 1, 1_000_000_000))
    [found] = check_folder("cache", tmp_path)
    assert (found.state, found.remedy) == ("warning", FREE_SPACE)
    assert found.message == f"{tmp_path}, 1.0 GB free (at least 2 GB needed)"


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    [found] = check_folder("cache", tmp_path / "file")
    assert (found.state, found.exit_code) == ("error", 15)
    assert found.message == f"{tmp_path}/file cannot be written: Not a directory"


def test_variables_are_reported_without_credentials(tmp_path):
    environ = {
        "all_proxy": "me:correct-horse@proxy:3128",
        "http_proxy": "http://me:correct/horse@proxy:3128",
        "https_proxy": "http://me:correct-horse@proxy:3128",
        "NO_PROXY": "localhost",
        "SSL_CERT_FILE": f"{tmp_path}/absent.pem",
        "PIP_CERT": "",
        "AWS_SECRET_ACCESS_KEY": "other",
    }
    found = [(check.state, check.message) for check in check_variables(environ)]
    assert found == [
        ("ok", "all_proxy=***@proxy:3128"),
        ("ok", "http_proxy=http://***@proxy:3128"),
        ("ok", "https_proxy=http://***@proxy:3128"),
        ("ok", "NO_PROXY=localhost"),
        ("warning", f"SSL_CERT_FILE={tmp_path}/absent.pem does not exist"),
    ]


@pytest.mark.starts_programs
def test_invalid_settings_are_errors(tmp_path):
    (tmp_path / "pip.conf").write_text("no section\n")
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "S2I_CELL_TIMEOUT": "soon"}
    checks = run_checks({**environ, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")})
    errors = {check.name: check for check in checks if check.state == "error"}
    assert errors.keys() == {"pip settings", "cache"}
    assert errors["pip settings"].message.startswith(f"{tmp_path}/pip.conf, line 1: ")
    assert errors["cache"].message == "S2I_CELL_TIMEOUT is 'soon'"
    assert exit_code(checks) == errors["pip settings"].exit_code == 5
