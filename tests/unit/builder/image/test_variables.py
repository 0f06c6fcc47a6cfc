"""The variables that an image stores for its service."""

import os
import subprocess

import pytest

from nachlass_builder.foundation.progress import Progress
from nachlass_builder.image.variables import ENVIRONMENT, keep_variables, public_variables

ODD = 'it\'s $HOME `id` "x" \\ a\nb'


@pytest.fixture
def seen(tmp_path):
    """Return a variable's value in a shell that reads the file."""

    def read(name, kept, **environ):
        keep_variables(tmp_path, kept, Progress())
        script = f'. "{tmp_path}/{ENVIRONMENT}" && printenv {name}'
        done = subprocess.run(
            ["sh", "-euc", script], env=environ, capture_output=True, text=True, check=True
        )
        return done.stdout.removesuffix("\n")

    return read


@pytest.mark.starts_programs
def test_a_shell_reads_the_values_unchanged(seen):
    assert seen("GREETING", {"GREETING": ODD}) == ODD
    assert seen("GREETING", {"GREETING": ""}) == ""


@pytest.mark.starts_programs
def test_variables_of_the_platform_take_precedence(seen):
    for own in ("own", ""):
        assert seen("GREETING", {"GREETING": "kept", "LAST": "1"}, GREETING=own) == own


@pytest.mark.starts_programs
def test_names_that_a_shell_cannot_set_are_left_out_and_reported(seen, capsys):
    kept = {"a b": "1", "x;id": "1", "my-var": "1", "é": "1", "LAST": "2"}
    assert seen("LAST", kept) == "2"
    warning = "a b, my-var, x;id, é: not kept in the image, because shells cannot set them"
    assert warning in capsys.readouterr().err


@pytest.mark.starts_programs
def test_variables_of_the_runtime_are_left_out_and_reported(seen, capsys):
    assert seen("PATH", {"PATH": "/no", "HOME": "/no"}, PATH=os.environ["PATH"]) != "/no"
    assert "HOME, PATH: not kept in the image, which sets its own" in capsys.readouterr().err


def test_every_user_can_read_the_file_with_any_umask(tmp_path):
    before = os.umask(0o077)
    try:
        keep_variables(tmp_path, {"GREETING": "hello"}, Progress())
    finally:
        os.umask(before)
    assert (tmp_path / ENVIRONMENT).stat().st_mode & 0o777 == 0o644


def test_secrets_and_variables_of_the_build_are_not_kept():
    variables = {
        "API_TOKEN": "hunter22-hunter22",
        "PUBLIC_KEY": "hunter22-hunter22",
        "PIP_INDEX_URL": "https://example.org/simple",
        "UV_CACHE_DIR": "/cache",
        "S2I_MODEL_PATH": "/bundle",
        "S2I_CACHE_DIR": "/cache",
        "S2I_APP_METRICS_PREFIX": "points",
        "GREETING": "hello",
    }
    kept = public_variables(variables, ["PUBLIC_KEY"])
    assert kept.keys() == {"PUBLIC_KEY", "S2I_APP_METRICS_PREFIX", "GREETING"}
