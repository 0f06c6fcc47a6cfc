"""`nachlass build --locked` installs the packages of the locks, even if the index has changed."""

import json
import shutil
import subprocess
import tomllib

import pytest
import tomli_w
from uv import find_uv_bin

from support.cells import write_notebook
from support.private_servers import SPELLINGS, USERINFO, private_server
from support.wheels import make_index, make_wheel

LOCKS = ("pylock.training.toml", "pylock.serving.toml")

MODEL = """\
# %%
requirements = ["secretlib"]
# %%
import secretlib, json
factor = json.load(open("factor.json"))


def predictor(x):
    return [x * factor, secretlib.VERSION]
# %%
samples = [1, 2, 4]
"""


class Project:
    """A source and its bundle, with a private index that a test may change."""

    def __init__(self, root, server, environment, nachlass):
        self.root = root
        self.server = server
        self.source = root / "repo"
        self.bundle = root / "bundle"
        self.environment = environment
        self._nachlass = nachlass

    def train_with(self, factor):
        (self.source / "factor.json").write_text(json.dumps(factor))

    def publish(self, version, content="first"):
        wheel = make_wheel(self.server / "files", "secretlib", version, [])
        if content != "first":
            wheel = make_wheel(self.root / "other", "secretlib", version, [f"{content}<0"])
            wheel.replace(self.server / "files" / wheel.name)
        make_index(self.server)

    def forget(self):
        """Remove the downloads of secretlib, and use an empty environment cache."""
        self.environment["S2I_CACHE_DIR"] = str(self.root / "cache")
        words = [find_uv_bin(), "cache", "clean", "--quiet", "secretlib"]
        subprocess.run(words, env=self.environment, check=True)

    def build(self, *words):
        return self._nachlass(
            "build", self.source, "-o", self.bundle, *words, environment=self.environment
        )

    def run_predict(self, sample):
        return self._nachlass("predict", self.bundle, sample, environment=self.environment)

    def predict(self):
        return json.loads(self.run_predict("1").stdout)

    def locks(self):
        return [(self.bundle / name).read_text() for name in LOCKS]


@pytest.fixture(scope="module")
def first(tmp_path_factory, pytestconfig, command):
    """Yield a project that is built once, with its index."""
    root = tmp_path_factory.mktemp("locked")
    environment = {
        "S2I_CACHE_DIR": str(root / "cache"),
        # These tests remove packages from it.
        "UV_CACHE_DIR": str(pytestconfig.cache.mkdir("uv-of-locked")),
    }
    project = Project(root, root / "server", environment, command)
    write_notebook(project.source / "model.ipynb", MODEL)
    project.train_with(2.0)
    project.publish("1.0")
    with private_server(project.server) as address:
        environment["PIP_EXTRA_INDEX_URL"] = f"http://{USERINFO}@{address}/simple/"
        built = project.build()
        assert built.returncode == 0, built.stderr
        shutil.copytree(project.server, root / "original")
        yield project
    shutil.rmtree(root / "cache")  # environments are large


@pytest.fixture
def project(first, tmp_path, nachlass):
    """Yield a copy of the project, with the original index."""
    shutil.rmtree(first.server)
    shutil.copytree(first.root / "original", first.server)
    copy = Project(tmp_path, first.server, dict(first.environment), nachlass)
    shutil.copytree(first.source, copy.source)
    shutil.copytree(first.bundle, copy.bundle, symlinks=True)
    yield copy
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)


def without_secretlib(lock):
    """Remove secretlib from a lock."""
    document = tomllib.loads(lock.read_text())
    document["packages"] = [one for one in document["packages"] if one["name"] != "secretlib"]
    lock.write_text(tomli_w.dumps(document))


def test_a_locked_build_ignores_a_changed_index(project):
    before = project.locks()
    project.publish("2.0")
    project.forget()
    # Without the index pages, only the locked files can be fetched.
    shutil.rmtree(project.server / "simple")
    built = project.build("--locked", "--compare")
    assert built.returncode == 0, built.stderr
    assert "the predictions are identical on 3 samples" in built.stderr
    assert project.predict() == [2.0, "1.0"]
    assert project.locks() == before
    assert not any(secret in built.stderr + "".join(before) for secret in SPELLINGS)

    (project.source / "requirements.txt").write_text("secretlib>=2\n")
    rejected = project.build("--locked")
    assert rejected.returncode == 5
    assert rejected.stderr.endswith(
        "error: requirements.txt, line 1: secretlib>=2 is not met: "
        "pylock.training.toml has secretlib 1.0\nhelp: build without --locked to update the locks\n"
    )
    make_index(project.server)
    built = project.build("--force")
    assert built.returncode == 0, built.stderr
    assert project.predict() == [2.0, "2.0"]


def test_a_file_with_another_hash_is_rejected(project):
    project.publish("1.0", content="second")
    project.forget()
    rejected = project.build("--locked")
    assert rejected.returncode == 5
    assert "error: secretlib==1.0 is not the file that was locked" in rejected.stderr
    assert not any(secret in rejected.stderr for secret in SPELLINGS)
    assert not list(project.root.glob(".*.making"))


def test_a_lock_without_a_serving_requirement_is_rejected(project):
    rejected = project.build("--locked", "-e", "S2I_SERVING_REQUIREMENTS=ipykernel")
    assert rejected.returncode == 5
    assert rejected.stderr.endswith(
        "error: pylock.serving.toml lacks ipykernel, required by S2I_SERVING_REQUIREMENTS\n"
        "help: build without --locked to update the locks\n"
    )


def test_a_lock_without_tests_of_libraries_is_rejected_if_slim_is_off(project):
    rejected = project.build("--locked", "-e", "S2I_SLIM=0")
    assert rejected.returncode == 5
    assert "leaves out the tests of libraries, required by S2I_SLIM=0" in rejected.stderr


def test_a_bundle_with_an_edited_lock_does_not_predict(project):
    without_secretlib(project.bundle / "pylock.serving.toml")
    rejected = project.run_predict("1")
    assert rejected.returncode == 5
    assert "the lock differs from the one that the model was proven with" in rejected.stderr


def test_the_proof_detects_a_package_missing_from_the_serving_lock(project):
    without_secretlib(project.bundle / "pylock.serving.toml")
    rejected = project.build("--locked")
    assert rejected.returncode == 8
    text = rejected.stderr[rejected.stderr.index("error:") :]
    assert "pylock.serving.toml lacks what the model needs: " in text
    assert "No module named 'secretlib'" in text
    assert text.endswith("help: build without --locked to update the locks\n")


def test_a_comparison_counts_and_shows_the_differences(project):
    project.train_with(2.0 + 1e-8)
    close = project.build("--locked", "--compare")
    assert close.returncode == 0, close.stderr
    assert (
        "the predictions are equal within the tolerance: of 3 samples, "
        "3 equal within the tolerance; numbers differ by up to 5e-07 % of the larger"
    ) in close.stderr

    project.train_with(4.0)
    different = project.build("--locked", "--compare")
    assert different.returncode == 13
    assert different.stdout == f"{project.bundle}\n"
    text = different.stderr[different.stderr.index("error:") :]
    verdict = "of 3 samples, 3 different; numbers differ by up to 50 % of the larger"
    assert text.splitlines()[:3] == [
        f"error: the predictions are different: {verdict}",
        "",
        '    sample 0: was [2.0, "1.0"], now [4.0, "1.0"]',
    ]
    assert project.predict() == [4.0, "1.0"]


def test_locks_in_the_source_are_used_only_by_locked_builds(project, tmp_path):
    for name in LOCKS:
        shutil.copy(project.bundle / name, project.source)
    project.publish("2.0")
    project.forget()
    project.bundle = tmp_path / "new"
    rejected = project.build("--locked", "--compare")
    assert rejected.returncode == 3
    assert f"error: there is no bundle at {project.bundle} to compare with" in rejected.stderr
    built = project.build("--locked")
    assert built.returncode == 0, built.stderr
    assert project.predict() == [2.0, "1.0"]
    # A build without --locked ignores them and resolves.
    built = project.build("--force")
    assert built.returncode == 0, built.stderr
    assert project.predict() == [2.0, "2.0"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--locked", "--force"], "and --locked uses the existing locks: choose one"),
        (["--compare"], "--compare requires --locked"),
    ],
)
def test_incompatible_options_are_rejected(nachlass, tmp_path, words, message):
    rejected = nachlass("build", tmp_path, *words)
    assert rejected.returncode == 2
    assert message in rejected.stderr
