"""Every command of the README runs, in a clone."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from support.project import PROJECT
from support.served import Served, free_port

ELSEWHERE = {
    "make test": "is what runs this test",
    "make demo": "test_the_demo_runs_in_a_fresh_clone",
    "pip install .": "tests/integration/test_wheel.py installs the wheel",
    "nachlass serve examples/kmeans": "is what `make demo` runs",
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
        if command in ELSEWHERE or "curl " in command:
            continue
        program, *words = shlex.split(command)
        assert program == "nachlass", f"the README's {command!r} is run by no test"
        done = nachlass(*words, cwd=clone)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        ran += 1
    assert ran >= 3


def curls():
    return [command for command in commands() if "curl " in command]


@contextmanager
def in_foreground(command, cwd, environ, log):
    """A command that serves until Ctrl-C, on a port that is free."""
    port = free_port()
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**environ, "PORT": str(port), "S2I_LOG_FORMAT": "json"},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    service = Served(process, port, log)
    try:
        service.wait_until(service.is_ready, "the service is not ready", 300)
        yield service
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)
    finally:
        service.kill()


def check_curls(service):
    """What the README asks with curl is answered as it says."""
    predict, metrics, lines, table = (
        subprocess.run(
            command.replace("8080", str(service.port)),
            shell=True,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for command in curls()
    )
    assert int(predict) in range(7)
    assert f'nachlass_predictions_total{{field="",value="{int(predict)}"}} 1.0' in metrics
    first, second, bad = map(json.loads, lines.splitlines())
    assert json.loads(table) == [first, second]
    assert first == {"prediction": int(predict)}
    assert bad["error"]["row"] == 2


@pytest.mark.only_all("it reinstalls everything")
def test_the_demo_runs_in_a_fresh_clone(clone, environ, tmp_path):
    command = ["make", "demo", f"PYTHON={sys.executable}"]
    with in_foreground(command, clone, environ, tmp_path / "log") as service:
        check_curls(service)
