"""Shared fixtures: the command, the environment cache, and a list of tests that could not run."""

import hashlib
import json
import os
import shutil
from functools import partial
from uuid import uuid4

import pytest
from filelock import FileLock
from hypothesis import settings

from support.cells import write_notebook
from support.command import Command, user_environment
from support.containers import RUN_PREFIX, Engine
from support.project import ALL, NOT_IN_GIT, PROJECT, TESTS

# The same examples in every run, even on slow machines.
settings.register_profile("ours", max_examples=25, deadline=None, derandomize=True, database=None)
settings.load_profile("ours")


def pytest_configure(config):
    config.addinivalue_line("markers", "needs(program, enable): a program the machine must have")
    config.addinivalue_line("markers", "needs_room(gigabytes): the free disk space that it needs")
    config.addinivalue_line(
        "markers", "needs_elsewhere(program, what): a program that only other machines have"
    )
    config.addinivalue_line(
        "markers", "starts_programs: starts kernels, uv, git or builds; not in test-unit"
    )
    config.addinivalue_line(
        "markers", "private_details: searches all versions for details of other projects"
    )
    config.addinivalue_line("markers", "only_all(reason): runs in `make test-all` alone")


SLOWEST = (
    "tests/image/",
    "tests/integration/test_monitoring.py",
    "tests/integration/test_examples.py",
)


def pytest_collection_modifyitems(items):
    """Start tests that take minutes first, so nothing waits for them at the end."""

    def place(item):
        return next((n for n, path in enumerate(SLOWEST) if item.nodeid.startswith(path)), 99)

    items.sort(key=place)


def pytest_runtest_setup(item):
    for mark in item.iter_markers("needs"):
        program, enable = mark.args
        if shutil.which(program) is None:
            _cannot_run(f"{program} is missing; to enable: {enable}")
    for mark in item.iter_markers("needs_room"):
        free_gb = shutil.disk_usage(PROJECT).free / 1e9
        if free_gb < mark.args[0]:
            _cannot_run(f"{free_gb:.0f} GB of disk are free; to enable: free {mark.args[0]} GB")
    for mark in item.iter_markers("needs_elsewhere"):
        if shutil.which(mark.args[0]) is None:
            pytest.skip(f"{mark.args[0]} is missing; to enable: install {mark.args[1]}")
    for mark in item.iter_markers("only_all"):
        if not ALL:
            pytest.skip(f"{mark.args[0]}; to enable: make test-all")


def _cannot_run(reason):
    """Skip, or fail if no test may be skipped."""
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
    """Return the environment cache that all test runs share."""
    folder = pytestconfig.cache.mkdir("nachlass")
    # Subsets remembered in an earlier run must not affect this one.
    shutil.rmtree(folder / "slim", ignore_errors=True)
    return folder


@pytest.fixture
def own_cache(cache, tmp_path):
    """Return a cache without environments for one test, with the shared bytecode."""
    folder = tmp_path / "cache"
    folder.mkdir()
    (cache / "bytecode").mkdir(exist_ok=True)
    (folder / "bytecode").symlink_to(cache / "bytecode")
    return folder


@pytest.fixture
def environ(cache):
    return user_environment(cache)


@pytest.fixture(scope="session")
def command(tmp_path_factory, cache):
    """Yield the command with the environment of a user: see command.py."""
    made = Command(tmp_path_factory.mktemp("command"))
    yield partial(made, environ=user_environment(cache))
    made.end()


@pytest.fixture
def nachlass(command, environ):
    """Return the command with the environment of the test."""
    return partial(command, environ=environ)


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """Return a folder that the workers of one run share."""
    folder = tmp_path_factory.getbasetemp()
    shared = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "shared"
    shared.mkdir(exist_ok=True)
    return shared


def name_of(*facts):
    """Return a name derived from these facts."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


@pytest.fixture(scope="session")
def built(shared, command):
    """Return a function that builds a source once per run; no test may change the bundle."""

    def build(source, *words):
        folder = shared / name_of(str(source), words)
        folder.mkdir(parents=True, exist_ok=True)
        bundle = folder / "bundle"
        with FileLock(folder / "lock"):
            if not bundle.exists():
                done = command("build", source, "-o", bundle, *words)
                assert done.returncode == 0, done.stderr
        return bundle

    return build


@pytest.fixture(scope="session")
def example(shared, command):
    """Return a function that builds a copy of an example once; no test may change the folder."""

    def build(name):
        folder = shared / "examples" / name
        folder.parent.mkdir(exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not (folder / ".nachlass/bundle").exists():
                source = PROJECT / "examples" / name
                shutil.copytree(source, folder, ignore=NOT_IN_GIT, dirs_exist_ok=True)
                done = command("build", ".", cwd=folder, timeout=900)
                assert done.returncode == 0, done.stderr
        return folder

    return build


@pytest.fixture(scope="session")
def kmeans(example):
    return example("kmeans") / ".nachlass/bundle"


@pytest.fixture(scope="session")
def spam(example):
    return example("spam") / ".nachlass/bundle"


@pytest.fixture(scope="session")
def built_cells(built, shared):
    """Return a function that builds a notebook of these cells in a source of this name."""

    def build(name, cells):
        source = shared / name_of(name, cells) / name
        with FileLock(shared / "sources.lock"):
            if not source.exists():
                write_notebook(source / "model.ipynb", cells)
        return built(source)

    return build


@pytest.fixture(scope="session")
def unruly(built_cells):
    """Return the bundle of a predictor whose samples are commands."""
    return built_cells("unruly", (TESTS / "support/unruly.nb.txt").read_text())


@pytest.fixture(scope="session")
def engine(cache):
    """Return buildah and podman, for machines where containers run."""
    folder = cache / "images"
    folder.mkdir(exist_ok=True)
    return Engine(folder)


@pytest.fixture
def tag():
    """Return the name of an image that is kept until the next test run."""
    return f"{RUN_PREFIX}{uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def project_images(engine, cache, shared):
    """Return the names of the builder and runtime images, created by the first worker."""
    names = shared / "images.json"
    with FileLock(shared / "images.lock"):
        if not names.exists():
            made = engine.project_images(shared / "smallest", user_environment(cache))
            names.write_text(json.dumps(made))
    return json.loads(names.read_text())


@pytest.fixture(scope="session")
def builder(project_images):
    return project_images[0]
