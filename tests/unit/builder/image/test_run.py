"""The steps of `run` before the service starts, in a folder that replaces the image's."""

import subprocess

import pytest

from support.project import PROJECT

pytestmark = pytest.mark.starts_programs

PYTHON = """#!/bin/sh
echo "$@"
env
"""


@pytest.fixture
def image(tmp_path):
    """Create a model's folder with a Python that prints its arguments and variables."""
    for folder in ("app/bin", "system"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "app/bin/python").write_text(PYTHON)
    (tmp_path / "app/bin/python").chmod(0o755)
    script = (PROJECT / "s2i/bin/run").read_text()
    script = script.replace("/opt/app-root", str(tmp_path / "app"))
    (tmp_path / "run").write_text(script.replace("/var/lib/nachlass/system", f"{tmp_path}/system"))
    return tmp_path


def run(image, *words, **environ):
    """Return the exit status, the service's command line and its variables."""
    done = subprocess.run(
        ["/bin/sh", image / "run", *words],
        env={"PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    started, *lines = done.stdout.splitlines() or [""]
    return done.returncode, started, dict(line.split("=", 1) for line in lines), done.stderr


def test_run_serves_or_proves_the_bundle(image):
    bundle = f"{image}/app/bundle"
    assert run(image)[:2] == (0, f"-P -m nachlass_service serve {bundle} --host 0.0.0.0")
    assert run(image, "prove")[:2] == (0, f"-P -m nachlass_service prove {bundle}")
    other = run(image, S2I_MODEL_PATH="/elsewhere")[1]
    assert other == "-P -m nachlass_service serve /elsewhere --host 0.0.0.0"


def test_an_unknown_command_is_rejected(image):
    code, started, _, output = run(image, "load")
    assert (code, started) == (2, "")
    assert "error: run load: use `run` or `run prove`" in output


def test_the_service_gets_no_extra_variables(image):
    (image / "app/environment").touch()
    (image / "app/pre_run").write_text("true\n")
    names = run(image, HOME=str(image))[2].keys() - {"PWD", "OLDPWD", "SHLVL", "_"}
    assert names == {"PATH", "HOME", "USER"}


@pytest.mark.parametrize("name", ["file", "app", "bundle", "status", "USER", "TMPDIR"])
def test_a_variable_of_any_name_reaches_the_service(image, name):
    (image / "app/environment").write_text(f'[ "${{{name}+set}}" ] || export {name}=kept\n')
    assert run(image)[2][name] == "kept"
    assert run(image, **{name: "set"})[2][name] == "set"


def test_unpacked_folders_come_last_in_the_search_path(image):
    (image / "system/environment").write_text('export PATH="${PATH:+$PATH:}"/unpacked\n')
    assert run(image)[2]["PATH"] == "/usr/bin:/bin:/unpacked"


def test_a_home_that_cannot_be_written_is_replaced(image):
    assert run(image, HOME=str(image))[2]["HOME"] == str(image)
    assert run(image, HOME="/no/such/folder")[2]["HOME"] == "/tmp"


def test_variables_exported_by_the_hook_reach_the_service(image):
    (image / "app/pre_run").write_text("export HOOKED=yes\n")
    assert run(image)[2]["HOOKED"] == "yes"
    assert run(image, "prove")[2]["HOOKED"] == "yes"


@pytest.mark.parametrize("command", ["serve", "prove"])
@pytest.mark.parametrize(
    ("hook", "code", "output"),
    [
        ("false\n", 1, "pre_run exited with 1: its last command failed"),
        ("exit 0\n", 1, "pre_run exited the shell: remove exit"),
        ("exit 3\n", 1, "pre_run exited the shell: remove exit"),
    ],
)
def test_a_failing_hook_prevents_the_start(image, command, hook, code, output):
    (image / "app/pre_run").write_text(hook)
    assert run(image, command)[:2] == (code, "")
    assert output in run(image, command)[3]
