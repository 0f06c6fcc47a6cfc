"""What all tests share: the command, a cache of environments, and a list of what could not run."""

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
from support.command import Command, environment_of_a_user
from support.containers import OF_A_RUN, Engine
from support.project import ALL, NOT_IN_GIT, PROJECT, TESTS

# The same examples in every run, however slow the machine is.
settings.register_profile("ours", max_examples=25, deadline=None, derandomize=True, database=None)
settings.load_profile("ours")


def pytest_configure(config):
    config.addinivalue_line("markers", "needs(program, enable): a program the machine must have")
    config.addinivalue_line("markers", "needs_room(gigabytes): disk that has to be free")
    config.addinivalue_line("markers", "needs_elsewhere(program, what): no machine of ours has it")
    config.addinivalue_line("markers", "starts_programs: kernels, uv, git, builds; not test-unit")
    config.addinivalue_line("markers", "private_details: of other projects, in every version")
    config.addinivalue_line("markers", "only_all(reason): runs in `make test-all` alone")


LONGEST = (
    "tests/image/",
    "tests/integration/test_monitoring.py",
    "tests/integration/test_examples.py",
)


def pytest_collection_modifyitems(items):
    """What takes minutes begins first: at the end the others would wait for it."""

    def place(item):
        return next((n for n, path in enumerate(LONGEST) if item.nodeid.startswith(path)), 99)

    items.sort(key=place)


def pytest_runtest_setup(item):
    for mark in item.iter_markers("needs"):
        program, enable = mark.args
        if shutil.which(program) is None:
            _cannot_run(f"{program} is missing; to enable: {enable}")
    for mark in item.iter_markers("needs_room"):
        free_gb = shutil.disk_usage(PROJECT).free / 1e9
        if free_gb < mark.args[0]:
            _cannot_run(f"{free_gb:.0f} GB of disk are free; to enable: have {mark.args[0]} GB")
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


@pytest.fixture
def own_cache(cache, tmp_path):
    """A cache without environments for one test; what the others have compiled is lent to it."""
    folder = tmp_path / "cache"
    folder.mkdir()
    (cache / "bytecode").mkdir(exist_ok=True)
    (folder / "bytecode").symlink_to(cache / "bytecode")
    return folder


@pytest.fixture
def environ(cache):
    return environment_of_a_user(cache)


@pytest.fixture(scope="session")
def command(tmp_path_factory, cache):
    """The command, with the environment of a user: see command.py."""
    made = Command(tmp_path_factory.mktemp("command"))
    yield partial(made, environ=environment_of_a_user(cache))
    made.end()


@pytest.fixture
def nachlass(command, environ):
    """Run the command, with the environment of the test."""
    return partial(command, environ=environ)


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
def built(shared, command):
    """Build a source once, by whichever worker: its bundle, which no test may change."""

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
    """An example as git hands it out, built once: the folder, which no test may change."""

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
    return built_cells("unruly", (TESTS / "support/unruly.nb.txt").read_text())


@pytest.fixture(scope="session")
def engine(cache):
    """buildah and podman; only where containers run."""
    folder = cache / "images"
    folder.mkdir(exist_ok=True)
    return Engine(folder)


@pytest.fixture
def tag():
    """The name of an image that is there until the next run of the tests."""
    return f"{OF_A_RUN}{uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def project_images(engine, cache, shared):
    """The names of the builder and the runtime, which the first worker makes."""
    names = shared / "images.json"
    with FileLock(shared / "images.lock"):
        if not names.exists():
            made = engine.project_images(shared / "smallest", environment_of_a_user(cache))
            names.write_text(json.dumps(made))
    return json.loads(names.read_text())


@pytest.fixture(scope="session")
def builder(project_images):
    return project_images[0]
