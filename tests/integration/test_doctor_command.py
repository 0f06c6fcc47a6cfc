"""`nachlass doctor` as a command."""

import json
import os

import pytest

SECRET = "correct-horse"


@pytest.fixture
def offline(tmp_path):
    """Return variables that disable the package index."""
    return {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}


def test_a_working_machine_passes_every_check(nachlass, offline, cache):
    found = nachlass("doctor", environment=offline)
    assert found.returncode == 0, found.stdout
    lines = found.stdout.splitlines()
    assert lines[0].startswith("ok       python        CPython 3.")
    assert any(line.startswith(f"ok       cache         {cache}") for line in lines)
    assert "\x1b" not in found.stdout, "colours belong to terminals"


def test_the_json_report_masks_passwords(nachlass, offline):
    proxy = f"http://me:{SECRET}@proxy:3128"
    index = {**offline, "HTTPS_PROXY": proxy, "PIP_TRUSTED_HOST": "x", "MY_TOKEN": SECRET}
    found = nachlass("doctor", "--format", "json", environment=index)
    assert SECRET not in found.stdout + found.stderr
    report = json.loads(found.stdout)
    assert report["exit_code"] == found.returncode == 0
    names = [check["name"] for check in report["checks"]]
    assert names[:3] == ["python", "uv", "git"]
    assert {check["state"] for check in report["checks"]} <= {"ok", "warning"}
    proxies = [check["message"] for check in report["checks"] if "proxy:3128" in check["message"]]
    assert proxies == ["HTTPS_PROXY=http://***@proxy:3128"]


def test_an_unreachable_index_is_an_error(nachlass):
    url = f"http://me:{SECRET}@127.0.0.1:9/simple"
    index = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "PIP_INDEX_URL": url}
    found = nachlass("doctor", environment=index)
    assert found.returncode == 5
    assert "error    index         http://127.0.0.1:9/simple does not answer" in found.stdout
    assert SECRET not in found.stdout


def test_an_unwritable_cache_is_an_error(nachlass, offline, tmp_path):
    (tmp_path / "file").touch()
    cache = {**offline, "S2I_CACHE_DIR": str(tmp_path / "file")}
    found = nachlass("doctor", environment=cache)
    assert found.returncode == 15, found.stdout
    assert f"error    cache         {tmp_path}/file cannot be written" in found.stdout


def test_doctor_and_check_report_missing_git(nachlass, offline, tmp_path):
    elsewhere = {**offline, "PATH": str(tmp_path)}
    found = nachlass("doctor", environment=elsewhere)
    assert found.returncode == 3, found.stdout
    checked = nachlass("check", tmp_path, environment=elsewhere)
    assert checked.returncode == 3
    assert checked.stderr == "error: git is not installed\nhelp: install git\n"
