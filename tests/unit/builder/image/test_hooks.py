"""The hooks of a source, and the error if one fails."""

import pytest

from nachlass_builder.foundation.errors import ExecutionError
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.image.hooks import HOOKS, run_hook


@pytest.fixture
def hook(tmp_path):
    """Return a function that runs a hook with this text."""

    def run(text, mode=0o755):
        path = tmp_path / HOOKS / "pre_build"
        path.parent.mkdir(parents=True)
        path.write_bytes(text.encode())
        path.chmod(mode)
        run_hook(tmp_path, "pre_build", Progress(quiet=True))
        return tmp_path / "made"

    return run


@pytest.mark.parametrize("mode", [0o755, 0o644])
def test_a_hook_runs_in_the_source(hook, mode):
    assert hook("#!/bin/sh\ntouch made\n", mode).exists()


def test_a_source_without_hooks_is_accepted(tmp_path):
    run_hook(tmp_path, "pre_build", Progress(quiet=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#!/bin/sh\nexit 3\n", "exited with 3"),
        ("#!/bin/sh\nkill -9 $$\n", "was killed by signal 9"),
        ("#!/bin/sh\r\ntrue\r\n", "cannot be run: No such file or directory"),
        ("\0", "cannot be run: Exec format error"),
    ],
)
def test_a_failing_hook_is_explained(hook, text, message):
    with pytest.raises(ExecutionError, match=message) as caught:
        hook(text)
    assert str(HOOKS / "pre_build") in caught.value.message
