"""The serving packages are decided once for a lock, and controlled by the user."""

import json

import pytest

from support.cells import write_notebook
from support.served import python_of
from support.wheels import make_wheel

MODEL = """\
# %%
requirements = ["toolbox", "far-engine", "plot-tool", "hidden-tool"]
# %%
import plot_tool
import toolbox

plot_tool.VERSION
# %%
def predictor(x):
    return toolbox.answer(x) + 1
# %%
samples = [1, 2]
"""

TOOLBOX = """
import importlib


def answer(x):
    return x + len(importlib.import_module('far_' + ('engine' if x else 'away')).VERSION)
"""


@pytest.fixture
def repo(tmp_path):
    """Return a function that writes the notebook of a source with a wheelhouse."""

    def write(text=MODEL):
        write_notebook(tmp_path / "repo/model.ipynb", text)
        return tmp_path / "repo"

    for wheel in (
        {"name": "toolbox", "files": {"toolbox.py": TOOLBOX}},
        {"name": "far-engine"},
        {"name": "plot-tool"},
        {"name": "hidden-tool"},
    ):
        make_wheel(write() / "wheels", version="9999", **wheel)
    return write


@pytest.fixture
def build(repo, nachlass, tmp_path, own_cache):
    """Return a function that builds with a separate cache; it returns output and manifest."""
    bundle = tmp_path / "bundle"

    def build(text=MODEL, *words, **variables):
        environment = {"S2I_CACHE_DIR": str(own_cache), **variables}
        built = nachlass("build", repo(text), "-o", bundle, *words, environment=environment)
        assert built.returncode == 0, built.stderr
        return built.stderr, json.loads((bundle / "manifest.json").read_text())

    return build


def environment_of(tmp_path):
    folder = python_of(tmp_path / "bundle", {"S2I_CACHE_DIR": str(tmp_path / "cache")}).parent
    return folder, folder.stat().st_ino


def remembered(tmp_path):
    (file,) = (tmp_path / "cache/slim").iterdir()
    return file


def user_packages(manifest):
    return {name for name, version in manifest["packages"].items() if version == "9999"}


def test_a_changed_cell_reuses_the_environment_unless_it_needs_more(build, tmp_path):
    output, manifest = build()
    assert "imported by the model: toolbox" in output
    assert "imported while scoring samples: far-engine" in output
    assert user_packages(manifest) == {"toolbox", "far-engine"}
    before = environment_of(tmp_path)

    output, manifest = build(MODEL.replace("toolbox.answer(x) + 1", "-x"))
    assert "as in an earlier build with this lock" in output
    assert "needed by an earlier build with this lock: far-engine, toolbox" in output
    assert user_packages(manifest) == {"toolbox", "far-engine"}
    assert environment_of(tmp_path) == before

    needs_more = MODEL.replace("def predictor(x):", "def predictor(x):\n    import hidden_tool")
    output, manifest = build(needs_more)
    assert "as in an earlier build" not in output
    assert user_packages(manifest) == {"toolbox", "far-engine", "hidden-tool"}

    output, manifest = build(MODEL, "--force")
    assert user_packages(manifest) == {"toolbox", "far-engine"}
    assert environment_of(tmp_path) == before


def test_the_proof_restores_a_package_removed_by_hand(build, tmp_path):
    build()
    file = remembered(tmp_path)
    kept = json.loads(file.read_text())
    del kept["why"]["far-engine"]
    file.write_text(json.dumps(kept))
    output, manifest = build(MODEL.replace("+ 1", "+ 2"))
    assert "the packages of an earlier build are not enough: sample 0 fails outside" in output
    assert "No module named 'far_engine'" in output
    assert user_packages(manifest) == {"toolbox", "far-engine"}
    assert json.loads(remembered(tmp_path).read_text())["why"]["far-engine"]


def test_a_missing_package_is_named_in_the_error_and_can_be_added(build, nachlass, tmp_path):
    text = MODEL.replace("toolbox.answer(x) + 1", '__import__(f"hidden_{x}").VERSION if x else x')
    text = text.replace("[1, 2]", "[0, 0]")
    build(text)
    predicted = nachlass("predict", tmp_path / "bundle", '"tool"')
    assert predicted.returncode == 10
    assert "No module named 'hidden_tool'" in predicted.stderr
    assert "build again with S2I_SERVING_REQUIREMENTS=hidden-tool" in predicted.stderr
    output, _manifest = build(text, S2I_SERVING_REQUIREMENTS="hidden-tool")
    assert "S2I_SERVING_REQUIREMENTS: hidden-tool" in output
    assert nachlass("predict", tmp_path / "bundle", '"tool"').stdout == '"9999"\n'


def test_serving_requirements_may_be_computed(build):
    text = MODEL + '# %%\nserving_requirements = [f"hidden-{name}" for name in ["tool"]]\n'
    output, manifest = build(text)
    assert "first pass: computing" in output
    assert manifest["slim"]["kept"]["hidden-tool"] == "serving_requirements"


TESTED = {
    "tested/__init__.py": "def answer(x):\n    return x\n",
    "tested/tests/__init__.py": "RATE = 2\n",
    "tested/tests/data.csv": "1\n",
    "tested/helpers.py": "from .inner.tests import FACTOR\n",
    "tested/inner/tests/__init__.py": "FACTOR = 3\n",
    "tested/inner/test/__init__.py": "",
}
PLAIN = "return tested.answer(x)"
OF_TESTED = f"""\
# %%
requirements = ["tested"]
import tested
# %%
def predictor(x):
    {PLAIN}
# %%
samples = [1, 2]
"""
BY_NAME = "import importlib\n    return x * importlib.import_module('tested.' + 'tests').RATE"


@pytest.mark.parametrize(
    ("body", "variables", "left"),
    [
        (PLAIN, {}, {"inner/tests"}),
        (PLAIN, {"S2I_SLIM": "0"}, {"tests", "inner/tests", "inner/test"}),
        (PLAIN, {"S2I_SAMPLES": ""}, {"tests", "inner/tests", "inner/test"}),
        (
            "from tested.tests import RATE\n    return RATE",
            {},
            {"tests", "inner/tests", "inner/test"},
        ),
        (BY_NAME, {}, {"tests", "inner/tests", "inner/test"}),
        ("return x * importlib.metadata.version('tested').count('test')", {}, {"inner/tests"}),
    ],
)
def test_tests_of_libraries_are_left_out_unless_needed(
    repo, build, nachlass, tmp_path, body, variables, left
):
    make_wheel(repo() / "wheels", "tested", "9999", files=TESTED)
    text = OF_TESTED.replace(PLAIN, body).replace("import tested", "import tested, importlib")
    output, _manifest = build(text, **variables)
    (python, _inode) = environment_of(tmp_path)
    (folder,) = python.parent.glob("lib/python*/site-packages/tested")
    found = {str(path.relative_to(folder)) for path in folder.rglob("test*") if path.is_dir()}
    assert found == left
    assert ("the tests of libraries are kept: the proof fails without" in output) == (
        body == BY_NAME
    )
    *_, last = (line for line in output.splitlines() if "serving environment: " in line)
    assert last.endswith("without the tests of libraries") == (len(left) == 1)
    # The environment is the same if only the bundle is left.
    environment = {"S2I_CACHE_DIR": str(tmp_path / "another cache")}
    predicted = nachlass("predict", tmp_path / "bundle", "1", environment=environment)
    assert predicted.returncode == 0, predicted.stderr
    made = {p.name for p in (tmp_path / "another cache").glob("envs/*/env/lib/*/*/tested/*")}
    assert ("tests" in made) == ("tests" in left)
