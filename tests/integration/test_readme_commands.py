"""Every command of the README runs, in a clone."""

import re
import shlex
import subprocess
import sys

import pytest
from conftest import PROJECT

ELSEWHERE = {
    "make test": "is what runs this test",
    "make demo": "test_the_demo_runs_in_a_fresh_clone",
    "pip install .": "tests/integration/test_wheel.py installs the wheel",
}


def commands():
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    for block in re.findall(r"^```sh\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            command = line.partition(" #")[0].strip()
            if command:
                yield command


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clone") / "nachlass"
    subprocess.run(["git", "clone", "--quiet", PROJECT, folder], check=True)
    return folder


def test_commands_of_the_readme(clone, nachlass):
    ran = 0
    for command in commands():
        if command in ELSEWHERE:
            continue
        program, *words = shlex.split(command)
        assert program == "nachlass", f"the README's {command!r} is run by no test"
        done = nachlass(*words, cwd=clone)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        ran += 1
    assert ran >= 3


@pytest.mark.only_all("it installs everything anew")
def test_the_demo_runs_in_a_fresh_clone(clone, environ):
    done = subprocess.run(
        ["make", "demo", f"PYTHON={sys.executable}"],
        cwd=clone,
        env=environ,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].isdigit()
