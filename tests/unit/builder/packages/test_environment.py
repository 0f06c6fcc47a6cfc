import os
import pickle
import signal
import subprocess
import sys
import tomllib
from dataclasses import replace
from multiprocessing.pool import ThreadPool

import pytest
import tomli_w

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.foundation.in_use import MARK
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.packages.bytecode import bytecode_folder
from nachlass_builder.packages.environment import COMPLETE, Installer, ensure_environment
from nachlass_builder.packages.installed import installed, needed
from nachlass_builder.packages.lock import Lock
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.packages.resolve import resolve
from nachlass_builder.packages.service_wheel import (
    build_service_wheel,
    service_digest,
    service_requirements,
)
from nachlass_builder.requirements.requirement import Requirement
from support.command import PYTHON
from support.wheels import make_sdist, make_wheel

pytestmark = pytest.mark.starts_programs

ZETA = "import sys\n\ndef main():\n    print(sys.prefix)\n"
COMMAND = "[console_scripts]\nzeta = zeta:main\n"


@pytest.fixture(scope="module")
def indexes(tmp_path_factory):
    """Return settings with only a wheelhouse."""
    root = tmp_path_factory.mktemp("source")
    make_wheel(root / "wheels", "alpha", requires=["beta[more]", "absent; python_version < '3'"])
    make_wheel(root / "wheels", "beta", requires=["gamma; extra == 'more'"])
    make_wheel(root / "wheels", "gamma", requires=["alpha"])
    make_wheel(root / "wheels", "delta")
    make_sdist(root / "wheels", "epsilon")
    zeta = {"zeta.py": ZETA, "zeta-1.0.data/scripts/activate-zeta": "#!python\n"}
    make_wheel(root / "wheels", "zeta", files=zeta, entry_points=COMMAND)
    environ = {
        "HOME": str(root / "home"),
        "PATH": os.environ["PATH"],
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "UV_CACHE_DIR": str(root / "uv"),
        "UV_NO_CONFIG": "1",
    }
    return IndexSettings.read(environ, root)


def lock_of(indexes, *texts):
    requirements = [Requirement(text, Place("model.ipynb", 1)) for text in texts]
    return resolve(
        requirements, (), indexes=indexes, as_of=None, work=indexes.root, deadline=Deadline()
    )


@pytest.fixture
def lock(indexes):
    return lock_of(indexes, "alpha", "delta")


@pytest.fixture
def ensure(tmp_path, indexes):
    """Return a function that creates an environment in the test's cache."""

    def ensure(lock, purpose="training", notes=None, cache=tmp_path):
        return ensure_environment(
            lock,
            service=build_service_wheel(cache, Deadline()),
            purpose=purpose,
            cache=cache,
            indexes=indexes,
            deadline=Deadline(),
            note=(notes if notes is not None else []).append,
        )

    return ensure


def test_an_environment_has_exactly_the_lock_and_the_service(ensure, lock):
    environment = ensure(lock)
    assert not environment.reused
    names = {"alpha", "beta", "gamma", "delta", "nachlass-service"}
    assert installed(environment.site_packages).keys() == names
    completed = subprocess.run(
        [environment.python, "-c", "import nachlass_service, sys; print(sys.prefix)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert completed.stdout.strip() == str(environment.path)


def test_an_unchanged_lock_reuses_its_environment(ensure, lock):
    environment = ensure(lock)
    again = ensure(lock)
    assert again.reused
    assert again.path == environment.path
    assert ensure(lock.subset({"delta"})).path != environment.path


def test_only_a_serving_environment_has_bytecode_beside_its_sources(ensure, lock):
    training, serving = ensure(lock, "training"), ensure(lock, "serving")
    assert not list(training.site_packages.rglob("*.pyc"))
    compiled = {path.name.partition(".")[0] for path in serving.site_packages.rglob("*.pyc")}
    assert {"alpha", "delta", "__init__", "prove"} <= compiled


def test_an_environment_without_its_interpreter_is_recreated(ensure, lock):
    environment = ensure(lock)
    environment.python.unlink()
    environment.python.symlink_to("/no/such/python")
    (environment.site_packages / "alpha.py").unlink()
    again = ensure(lock)
    assert not again.reused
    assert (again.site_packages / "alpha.py").exists()
    assert ensure(lock).reused


def test_equal_locks_have_environments_with_equal_paths(ensure, lock, tmp_path):
    paths = [
        ensure(lock, cache=tmp_path / cache).path.relative_to(tmp_path / cache) for cache in "ab"
    ]
    assert paths[0] == paths[1]


def test_commands_of_an_environment_use_its_interpreter(ensure, indexes):
    environment = ensure(lock_of(indexes, "zeta"), "serving")
    completed = subprocess.run(
        [environment.path / "bin" / "zeta"], capture_output=True, text=True, check=True
    )
    assert completed.stdout.strip() == str(environment.path)


KILLED = """
import os, pickle, signal, sys
from nachlass_builder.packages import environment
from nachlass_builder.foundation.process import Deadline

def install_and_die(installer, path, lock, install=environment.Installer.install):
    install(installer, path, lock)
    os.kill(os.getpid(), signal.SIGKILL)

environment.Installer.install = install_and_die
lock, service, cache, indexes = pickle.loads(sys.stdin.buffer.read())
environment.ensure_environment(
    lock, service=service, purpose="training", cache=cache, indexes=indexes,
    deadline=Deadline(), note=print,
)
"""


def test_an_environment_left_by_a_killed_build_is_recreated(ensure, lock, tmp_path, indexes):
    arguments = pickle.dumps((lock, build_service_wheel(tmp_path, Deadline()), tmp_path, indexes))
    killed = subprocess.run([PYTHON, "-c", KILLED], input=arguments, check=False)
    assert killed.returncode == -signal.SIGKILL
    left = list(tmp_path.glob("envs/*/*/pyvenv.cfg"))
    assert len(left) == 1
    environment = ensure(lock)
    assert not environment.reused
    assert list(tmp_path.glob("envs/*/*/pyvenv.cfg")) == [environment.path / "pyvenv.cfg"]


def test_an_interrupted_installation_leaves_no_files(ensure, lock, tmp_path, monkeypatch):
    def interrupted(*_given):
        raise KeyboardInterrupt

    monkeypatch.setattr(Installer, "install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ensure(lock)
    assert not list(tmp_path.glob(f"envs/*/{COMPLETE}*"))


def test_two_concurrent_builds_create_an_environment_once(ensure, lock):
    with ThreadPool(2) as pool:
        made = pool.map(ensure, [lock, lock])
    assert sorted(environment.reused for environment in made) == [False, True]


def test_packages_built_from_source_are_reported_only_when_locked(ensure, indexes):
    lock, notes = lock_of(indexes, "epsilon"), []
    environment = ensure(lock, notes=notes)
    assert "epsilon" in installed(environment.site_packages)
    assert notes == []
    assert ensure(lock.subset({"epsilon"}), "serving", notes).path != environment.path
    assert notes == []


def test_packages_built_from_a_reused_lock_are_reported(ensure, indexes, tmp_path):
    (tmp_path / "pylock.serving.toml").write_text(lock_of(indexes, "epsilon").install_text)
    notes = []
    ensure(Lock.read(tmp_path / "pylock.serving.toml"), notes=notes)
    assert notes == ["built from source: epsilon"]


def test_a_file_that_differs_from_the_lock_is_rejected(ensure, lock, tmp_path):
    digest = lock.install_text.partition('sha256 = "')[2][:64]
    forged = replace(lock, private_text=lock.private_text.replace(digest, "0" * 64))
    with pytest.raises(RequirementsError, match="not the file that was locked") as raised:
        ensure(forged)
    assert "0" * 64 in raised.value.details
    assert not list(tmp_path.glob(f"envs/*/{COMPLETE}*"))


@pytest.mark.parametrize(
    "facts", [{"environments": ["python_version == '3.9'"]}, {"requires-python": "<3.11"}]
)
def test_a_lock_for_another_platform_is_reported(ensure, lock, facts):
    text = tomli_w.dumps({**tomllib.loads(lock.install_text), **facts})
    with pytest.raises(RequirementsError, match="another Python or platform"):
        ensure(replace(lock, private_text=text))


def test_no_lock_is_left_in_the_environment(ensure, lock):
    assert not list(ensure(lock).path.glob("**/pylock*"))


def test_the_closure_follows_extras_and_markers_and_handles_cycles(ensure, lock):
    distributions = installed(ensure(lock).site_packages)
    assert needed(distributions, ["beta"]).keys() == {"beta"}
    assert needed(distributions, ["beta[more]"]).keys() == {"beta", "gamma", "alpha"}
    assert needed(distributions, ["Alpha>=1", "absent"]).keys() == {"alpha", "beta", "gamma"}


def test_the_service_is_built_once_for_each_version_of_its_source(tmp_path, monkeypatch):
    wheel = build_service_wheel(tmp_path, Deadline())
    assert wheel == build_service_wheel(tmp_path, Deadline())
    assert wheel.parent.name.startswith(service_digest())
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    elsewhere = build_service_wheel(tmp_path / "other", Deadline())
    assert elsewhere.read_bytes() == wheel.read_bytes()
    assert {path.name for path in wheel.parent.iterdir()} == {wheel.name, MARK}
    assert any(text.startswith("cloudpickle") for text in service_requirements())


def test_the_python_of_an_environment_is_that_of_the_builder(ensure, lock):
    environment = ensure(lock)
    config = (environment.path / "pyvenv.cfg").read_text()
    assert config.startswith(f"home = {sys.base_prefix}")


def kernel_compiles(environment, names):
    """Import modules like a kernel; return the names of those it has to compile."""
    folder = bytecode_folder(environment.python)
    before = set(folder.rglob("*.pyc"))
    environ = {"PYTHONPYCACHEPREFIX": str(folder)}
    subprocess.run([environment.python, "-c", f"import {names}"], env=environ, check=True)
    return {path.name.partition(".")[0] for path in set(folder.rglob("*.pyc")) - before}


def test_a_kernel_compiles_only_modules_that_are_not_installed(ensure, lock):
    environment = ensure(lock)
    (environment.site_packages / "other.py").touch()
    names = "argparse, email.message, json.decoder, alpha, nachlass_service, other"
    assert kernel_compiles(environment, names) == {"other"}


def test_training_and_serving_environments_share_bytecode(ensure, lock):
    training, serving = ensure(lock), ensure(lock, "serving")
    name = f"alpha.{sys.implementation.cache_tag}.pyc"
    [compiled] = bytecode_folder(training.python).rglob(name)
    assert compiled.samefile(serving.site_packages / "__pycache__" / name)


METADATA = {"INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}
UNUSED_FILES = {".gitignore", ".lock", "CACHEDIR.TAG", "activate", "activate.fish", "pydoc.bat"}


def names_in(environment):
    return {path.name for path in environment.path.rglob("*")}


def test_a_serving_environment_has_no_files_of_its_installer(ensure, lock):
    environment = ensure(lock, "serving")
    assert not names_in(environment) & (METADATA | UNUSED_FILES)
    [record] = environment.site_packages.glob("alpha-*/RECORD")
    assert "INSTALLER" not in record.read_text()


def test_commands_named_like_those_of_an_empty_environment_are_kept(ensure, indexes):
    environment = ensure(lock_of(indexes, "zeta"), "serving")
    assert (environment.path / "bin" / "activate-zeta").exists()


def test_a_kernel_can_find_the_origin_of_a_distribution(ensure, lock, indexes, monkeypatch):
    monkeypatch.setitem(indexes.environ, "UV_NO_INSTALLER_METADATA", "1")
    assert names_in(ensure(lock)) >= METADATA


def files_of(environment):
    """Return the files of an environment with their contents or link targets."""
    files = {}
    for path in environment.path.rglob("*"):
        name = path.relative_to(environment.path)
        if path.is_symlink():
            files[name] = path.readlink()
        elif path.is_file():
            files[name] = path.read_bytes()
    return files


def test_equal_locks_have_equal_serving_environments(ensure, indexes, tmp_path):
    lock = lock_of(indexes, "alpha", "zeta")
    ensure(lock_of(indexes, "zeta"), "training", cache=tmp_path / "b")
    made = [ensure(lock, "serving", cache=tmp_path / cache) for cache in ("a", "b")]
    assert files_of(made[0]) == files_of(made[1])
