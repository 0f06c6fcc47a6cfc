"""A build that is killed at any step leaves no partial bundle, and the next one works."""

import signal
import subprocess

import pytest

from support.cells import write_notebook
from support.command import NACHLASS

STEPS = (
    "reading the notebook",
    "first pass",
    "locking",
    "making the training environment",
    "executing the notebook",
    "model.ipynb, cell",
    "pickled:",
    "making the serving environment",
    "proving the model",
    "writing the bundle",
)
WITH_A_BUNDLE = ("model.ipynb, cell", "writing the bundle")
"""The steps at which a build is killed that would replace a bundle."""


@pytest.fixture
def source(tmp_path):
    return write_notebook(
        tmp_path / "repo" / "model.ipynb",
        "# %%\nrequirements = [name for name in ('cloudpickle',)]\n# %%\n"
        "import time\ntime.sleep(1)\n# %%\ndef predictor(x):\n    return x\n# %%\nsamples = [1, 2]",
    ).parent


def kill_at(step, source, environ):
    """Start a build, and kill it without its children when it reports a step."""
    process = subprocess.Popen(
        [NACHLASS, "build", source],
        env=environ,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    printed = []
    for line in process.stderr:
        printed.append(line)
        if step in line:
            process.kill()
            break
    process.stderr.close()
    assert process.wait() == -signal.SIGKILL, "".join(printed)


@pytest.mark.parametrize(
    ("before", "steps"),
    [
        pytest.param(False, STEPS, id="no bundle before"),
        pytest.param(True, WITH_A_BUNDLE, id="a bundle before"),
    ],
)
def test_a_build_killed_at_any_step_leaves_no_partial_bundle(
    source, environ, own_cache, before, steps, nachlass
):
    # With a separate cache, builds are killed while they make environments, too.
    environ = {**environ, "S2I_CACHE_DIR": str(own_cache)}
    bundle = source / ".nachlass" / "bundle"
    if before:
        assert nachlass("build", source, environment=environ).returncode == 0
        with (source / "model.ipynb").open("a") as file:
            file.write("\n")
    for step in steps:
        kill_at(step, source, environ)
        assert bundle.exists() is before, step
        assert not (bundle / "work").exists()
    built = nachlass("build", source, environment=environ)
    assert built.returncode == 0, built.stderr
    assert nachlass("predict", bundle, "7", environment=environ).stdout == "7\n"
    assert {path.name for path in (source / ".nachlass").iterdir()} == {".gitignore", "bundle"}
