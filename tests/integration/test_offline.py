"""With a wheelhouse in the repository and PIP_NO_INDEX=1, a build needs no network."""

import hashlib
import shutil
import subprocess
import sys

import pytest
from filelock import FileLock

from nachlass_builder.packages.lock import OURS_FOR_KERNEL
from nachlass_builder.packages.service_wheel import service_requirements
from support.cells import write_notebook
from support.command import NACHLASS

WANTED = sorted({"six==1.17.0", *OURS_FOR_KERNEL, *service_requirements()})

MODEL = """\
# %%
requirements = [["six", "1.17.0"]]
# %%
import six


def predictor(x):
    return six.__version__
# %%
samples = [1, 2]
"""


@pytest.fixture(scope="session")
def wheelhouse(pytestconfig):
    """Return the wheels for kernel, service and notebook, downloaded once."""
    known = hashlib.sha256(repr((sys.version_info[:2], WANTED)).encode()).hexdigest()[:12]
    folder = pytestconfig.cache.mkdir("wheelhouse") / known
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            making = folder.with_name(f"{known}.making")
            shutil.rmtree(making, ignore_errors=True)
            words = ["download", "--quiet", "--only-binary", ":all:", "--dest", making]
            subprocess.run([sys.executable, "-m", "pip", *words, *WANTED], check=True)
            making.rename(folder)
    return folder


@pytest.fixture
def source(tmp_path, wheelhouse):
    root = tmp_path / "repo"
    write_notebook(root / "model.ipynb", MODEL)
    shutil.copytree(wheelhouse, root / "wheels")
    yield root
    for name in ("repo", "cache", "uv"):
        shutil.rmtree(tmp_path / name, ignore_errors=True)  # they are large


@pytest.fixture
def offline(environ, tmp_path, nachlass):
    """Return the command with empty caches and, if possible, without a network."""
    environment = {
        "PIP_NO_INDEX": "1",
        "S2I_CACHE_DIR": str(tmp_path / "cache"),
        "UV_CACHE_DIR": str(tmp_path / "uv"),
    }
    cut = ["unshare", "--net"]
    if shutil.which("unshare") is None or subprocess.run([*cut, "true"], check=False).returncode:
        return lambda *words: nachlass(*words, environment=environment)

    def run(*words):
        return subprocess.run(
            [*cut, NACHLASS, *map(str, words)],
            env={**environ, **environment},
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )

    return run


def test_a_wheelhouse_is_enough(source, offline, tmp_path):
    built = offline("build", source, "-o", source / ".." / "bundle")
    assert built.returncode == 0, built.stderr
    assert "using wheels/ as a wheelhouse" in built.stderr
    assert ".." not in (tmp_path / "bundle/pylock.serving.toml").read_text()
    assert offline("predict", tmp_path / "bundle", "1").stdout == '"1.17.0"\n'


def test_a_requirement_missing_from_the_wheelhouse_is_named(source, offline):
    for wheel in (source / "wheels").glob("six-*"):
        wheel.unlink()
    rejected = offline("build", source)
    assert rejected.returncode == 5, rejected.stderr
    assert "model.ipynb, cell 1, line 1: " in rejected.stderr
    assert "six" in rejected.stderr


def test_a_kernel_missing_from_the_wheelhouse_is_named(source, offline):
    for wheel in (source / "wheels").glob("ipykernel-*"):
        wheel.unlink()
    rejected = offline("build", source)
    assert rejected.returncode == 5, rejected.stderr
    assert "ipykernel, which the notebook's kernel needs" in rejected.stderr
