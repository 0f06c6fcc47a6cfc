"""What all tests share: the command, a cache of environments, and a list of what could not run."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from filelock import FileLock

TESTS = Path(__file__).parent
PROJECT = TESTS.parent
ALL = bool(os.environ.get("NACHLASS_TEST_ALL"))

sys.path.insert(0, str(TESTS))

from cells import write_notebook  # noqa: E402 - found by the path above
from command import NACHLASS, running_forks  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "needs(program, enable): a program the machine must have")
    config.addinivalue_line("markers", "needs_room(gigabytes): disk that has to be free")
    config.addinivalue_line("markers", "needs_elsewhere(program, what): no machine of ours has it")
    config.addinivalue_line("markers", "starts_programs: kernels, uv, builds; not in test-unit")
    config.addinivalue_line("markers", "only_all(reason): runs in `make test-all` alone")


def pytest_runtest_setup(item):
    for mark in item.iter_markers("needs"):
        program, enable = mark.args
        if shutil.which(program) is None:
            _cannot_run(f"{program} is missing; to enable: {enable}")
    for mark in item.iter_markers("needs_room"):
        free_gb = shutil.disk_usage(PROJECT).free / 1e9
        if free_gb < mark.args[0]:
            pytest.skip(f"{free_gb:.0f} GB of disk are free; to enable: have {mark.args[0]} GB")
    for mark in item.iter_markers("needs_elsewhere"):
        if shutil.which(mark.args[0]) is None:
            pytest.skip(f"{mark.args[0]} is missing; to enable: install {mark.args[1]}")
    for mark in item.iter_markers("only_all"):
        if not ALL:
            pytest.skip(f"{mark.args[0]}; to enable: make test-all")


def _cannot_run(reason):
    """Skip, or fail where nothing may be skipped."""
    if ALL:
        pytest.fail(reason)
    pytest.skip(reason)


def pytest_terminal_summary(terminalreporter):
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section("not run on this machine")
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        terminalreporter.line(f"{report.nodeid}: {reason}")


@pytest.fixture(scope="session")
def cache(pytestconfig):
    """The cache of environments that all tests, and all runs of the tests, share."""
    folder = pytestconfig.cache.mkdir("nachlass")
    # What an earlier run found out about a lock must not show in this one.
    shutil.rmtree(folder / "slim", ignore_errors=True)
    return folder


def environment_of_a_user(cache):
    """Our environment, without what would steer a build or a service."""
    steering = ("S2I_", "NACHLASS_", "GUNICORN_", "OMP_", "PORT", "WEB_CONCURRENCY")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(steering)}
    return {**kept, "S2I_CACHE_DIR": str(cache), "COLUMNS": "100"}


@pytest.fixture
def environ(cache):
    return environment_of_a_user(cache)


@pytest.fixture
def nachlass(environ):
    """Run the command as a user does; the result has returncode, stdout and stderr."""

    def run(*words, environment=None, stdin=None, cwd=None, timeout=300):
        return subprocess.run(
            [NACHLASS, *map(str, words)],
            env={**environ, **(environment or {})},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            cwd=cwd,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def forked_command(tmp_path_factory):
    """Run the command as `nachlass` does, in a fork of a process that has imported it."""
    with running_forks(tmp_path_factory.mktemp("forked")) as run:
        yield run


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A folder that the workers of one run share."""
    folder = tmp_path_factory.getbasetemp()
    shared = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "shared"
    shared.mkdir(exist_ok=True)
    return shared


def name_of(*facts):
    """A name for whatever is made from these facts."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


@pytest.fixture(scope="session")
def built(shared, cache):
    """Build a source once, by whichever worker: its bundle, which no test may change."""

    def build(source, *words):
        folder = shared / name_of(str(source), words)
        folder.mkdir(parents=True, exist_ok=True)
        bundle = folder / "bundle"
        with FileLock(folder / "lock"):
            if not bundle.exists():
                environ = environment_of_a_user(cache)
                command = [NACHLASS, "build", source, "-o", bundle, *words]
                subprocess.run(command, env=environ, check=True, capture_output=True)
        return bundle

    return build


@pytest.fixture(scope="session")
def kmeans(built):
    return built(PROJECT / "examples/kmeans")


@pytest.fixture(scope="session")
def built_cells(built, shared):
    """Build a notebook of these cells, in a source of this name: the path of its bundle."""

    def build(name, cells):
        source = shared / name_of(name, cells) / name
        with FileLock(shared / "sources.lock"):
            if not source.exists():
                write_notebook(source / "model.ipynb", cells)
        return built(source)

    return build


@pytest.fixture(scope="session")
def unruly(built_cells):
    """The bundle of a predictor that does whatever its sample says."""
    return built_cells("unruly", (TESTS / "unruly.nb.txt").read_text())


only_where_containers_run = [
    pytest.mark.needs_room(15),
    *(
        pytest.mark.needs(program, "make test-all")
        for program in ("buildah", "podman", "runc", "debootstrap", "unshare")
    ),
]


@pytest.fixture(scope="session")
def engine(cache):
    """buildah and podman; only where containers run."""
    sys.path.insert(0, str(TESTS / "image"))
    from containers import Engine

    folder = cache / "images"
    folder.mkdir(exist_ok=True)
    return Engine(folder)


@pytest.fixture
def tag(engine):
    """The name of an image that is gone after the test, and so is its second."""
    name = f"localhost/nachlass-test-{uuid4().hex[:8]}"
    yield name
    engine.remove(name, f"{name}-second")


@pytest.fixture(scope="session")
def builder(engine):
    return engine.project_image("builder")
