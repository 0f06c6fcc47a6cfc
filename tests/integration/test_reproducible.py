"""Two builds of one commit produce the same bundle, in two folders with two caches."""

import shutil
import subprocess

import pytest

from nachlass_builder.bundle.contents import contents
from support.cells import write_notebook
from support.project import NOT_IN_GIT, PROJECT
from support.repositories import commit_all

WARNS = """\
# %%
requirements = ["six"]
import os, warnings
# %%
warnings.warn("of a cell")
print("printed", os.getcwd(), os.path.dirname(os.getcwd()))
os.getcwd()
# %%
import six
six.__file__, {"one", "two", "three"}, os.environ["SOURCE_DATE_EPOCH"]
# %%
names = {"ham", "spam", "eggs"}
def predictor(x):
    return [x, sorted(names)]
samples = [1, 2]
"""
DIFFERENT = {"housing": set(), "spam": {"01-features.sav"}}
"""The files of the examples that differ: scikit-learn's text vectorizers keep an address.

tests/image/test_same_image_twice.py builds kmeans twice.
"""
RANDOM = "# %%\nimport uuid\ndrawn = uuid.uuid4().hex\ndef predictor(x):\n    return len(drawn)\n"


@pytest.fixture
def build_twice(nachlass, own_cache, tmp_path):
    """Return a function that builds a commit in two clones, once with an empty cache."""

    def build(source, name):
        bundles = []
        commit_all(source)
        for place, cache in (("first", own_cache), ("second/deep er", tmp_path / "empty")):
            clone, bundle = tmp_path / place / name, tmp_path / place / "bundle"
            subprocess.run(["git", "clone", "-q", source, clone], check=True)
            if bundles:
                shutil.copytree(bundles[0], bundle)
            built = nachlass(
                *("build", clone, "-o", bundle, *(["--locked"] if bundles else [])),
                environment={"S2I_CACHE_DIR": str(cache)},
            )
            assert built.returncode == 0, built.stderr
            bundles.append(bundle)
        return bundles

    return build


@pytest.mark.parametrize("example", DIFFERENT)
def test_two_builds_of_an_example_are_equal(build_twice, tmp_path, example):
    source = shutil.copytree(PROJECT / "examples" / example, tmp_path / "source", ignore=NOT_IN_GIT)
    first, second = build_twice(source, example)
    files, others = contents(first), contents(second)
    assert {name for name in files if files[name] != others.get(name)} == DIFFERENT[example]
    if not DIFFERENT[example]:
        assert files == others
        assert (first / "manifest.json").read_bytes() == (second / "manifest.json").read_bytes()


def test_a_bundle_does_not_contain_its_build_path(build_twice, tmp_path):
    write_notebook(tmp_path / "source/model.ipynb", WARNS)
    first, second = build_twice(tmp_path / "source", "model")
    assert contents(first) == contents(second)
    shown = (first / "notebook.html").read_text()
    assert "of a cell" in shown
    assert "site-packages/six.py" in shown
    assert str(tmp_path) not in shown


def test_the_first_different_file_is_named(nachlass, own_cache, tmp_path):
    write_notebook(tmp_path / "source/model.ipynb", RANDOM)
    outputs = []
    for words in ([], ["--locked"]):
        environment = {"S2I_CACHE_DIR": str(own_cache)}
        built = nachlass("build", tmp_path / "source", *words, environment=environment)
        assert built.returncode == 0, built.stderr
        outputs.append(built.stderr)
    assert "equal build" not in outputs[0]
    assert "model.pickle differs from an earlier equal build" in outputs[1]
