"""`nachlass diff` on built bundles, in each of the three formats."""

import json
import shutil

import nbformat
import pytest

from support.cells import write_notebook
from support.project import NOT_IN_GIT, PROJECT
from support.wheels import make_wheel

MODEL = """\
# %%
requirements = ["tinylib=={version}"]
import json, os, tinylib
offset = json.load(open("offset.json"))
# %%
def predictor(x):
    if x > 8 or not tinylib.VERSION:
        raise ValueError("too large")
    return {answer}
# %%
samples = [0, 1, 2, 9] if {bad} else [0, 1, 2]
"""


@pytest.fixture
def source(tmp_path):
    """Return a function that creates a source with its own wheelhouse."""

    def make(name, *, version="1.0", answer="x + offset", offset="1", bad="False"):
        folder = tmp_path / name
        text = MODEL.format(version=version, answer=answer, bad=bad)
        write_notebook(folder / "model.ipynb", text)
        (folder / "offset.json").write_text(offset)
        for each in ("1.0", "2.0"):
            make_wheel(folder / "wheels", "tinylib", each)
        return folder

    return make


@pytest.fixture
def difference(nachlass):
    """Return a function that reads the differences from the JSON output."""

    def run(old, new, *words):
        done = nachlass("diff", old, new, "--format", "json", *words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_a_changed_cell_shows_in_code_and_predictions(
    built, kmeans, nachlass, difference, tmp_path
):
    source = tmp_path / "kmeans"
    shutil.copytree(PROJECT / "examples/kmeans", source, ignore=NOT_IN_GIT)
    notebook = nbformat.read(source / "model.ipynb", 4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("n_clusters=7", "n_clusters=3")
        cell.source = cell.source.replace("KMeans(7", "KMeans(3")
    nbformat.write(notebook, source / "model.ipynb")
    # The index may have newer versions by now.
    for lock in kmeans.glob("pylock.*.toml"):
        shutil.copyfile(lock, source / lock.name)
    new = built(source, "--locked")
    found = difference(kmeans, new)
    assert [change["change"] for change in found["code"]] == ["changed"]
    assert found["packages"] == found["data"] == found["parameters"] == found["python"] == []
    answers = found["predictions"]
    assert answers["count"] == 200
    assert answers["different"] > 20
    assert answers["identical"] + answers["different"] == 200
    assert len(answers["examples"]) == 10
    assert all(one["old"] != one["new"] for one in answers["examples"])
    text = nachlass("diff", kmeans, new).stdout
    assert f"digest {found['old']['digest'][:12]}" in text
    assert found["old"]["digest"] != found["new"]["digest"]
    assert "the same bundle" not in text
    verdict = f"different: of 200 samples, {answers['different']} different"
    assert verdict in text
    assert "unchanged: data, packages, Python, parameters" in text
    assert "\x1b" not in text
    markdown = nachlass("diff", kmeans, new, "--format", "markdown").stdout
    assert f"| Predictions | {verdict}" in markdown
    assert "```diff\n" in markdown


def test_a_bundle_is_identical_to_itself(kmeans, nachlass):
    done = nachlass("diff", kmeans, kmeans, "--exit-code")
    assert done.returncode == 0, done.stderr
    assert "identical on 200 samples" in done.stdout
    assert "the bundles are identical" in done.stdout
    assert "unchanged: code, data, packages, Python, parameters" in done.stdout


def test_differences_in_data_packages_and_parameters_are_reported(source, nachlass, difference):
    old, new = source("old"), source("new", version="2.0", offset="1.5")
    (new / ".s2i").mkdir()
    (new / ".s2i/environment").write_text("DEPTH=4\nDB_PASSWORD=hunter2\n")
    found = difference(old, new)
    assert found["old"]["bundle"] == str(old / ".nachlass/bundle")
    [data] = found["data"]
    assert (data["name"], data["change"]) == ("offset.json", "changed")
    assert (data["old"]["bytes"], data["new"]["bytes"]) == (1, 3)
    assert found["packages"] == [
        {"name": "tinylib", "change": "changed", "old": "1.0", "new": "2.0"}
    ]
    assert found["training_packages"] == []
    assert {change["name"]: change["new"] for change in found["parameters"]} == {
        "DB_PASSWORD": "***",
        "DEPTH": "4",
    }
    assert found["predictions"]["different"] == 3
    assert found["predictions"]["largest"] == pytest.approx(0.5 / 1.5)
    assert nachlass("diff", old, new, "--exit-code").returncode == 14


def test_predictions_within_the_tolerance_are_not_different(source, nachlass, difference):
    old, new = source("old"), source("new", answer="x + offset + 1e-9")
    predictions = difference(old, new)["predictions"]
    assert (predictions["close"], predictions["different"]) == (3, 0)


def test_samples_that_fail_in_the_new_model_are_counted(source, difference):
    old = source("old", answer="x")
    new = source("new", answer='1 / 0 if x == 2 else "text"', bad="True")
    found = difference(old, new)
    assert found["predictions"]["failed"] == 1
    assert found["predictions"]["different"] == 2
    assert "ZeroDivisionError" in found["predictions"]["examples"][2]["error"]
    back = difference(new, old)
    assert back["predictions"]["count"] == back["predictions"]["different"] == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 0}, "is a bundle that nachlass"),
        (
            {"data": None},
            "is a damaged bundle: manifest.json: Object missing required field `data`",
        ),
    ],
)
def test_an_incompatible_or_damaged_bundle_is_rejected(kmeans, nachlass, tmp_path, change, message):
    manifest = {**json.loads((kmeans / "manifest.json").read_text()), **change}
    kept = {name: fact for name, fact in manifest.items() if fact is not None}
    (tmp_path / "manifest.json").write_text(json.dumps(kept))
    for pair in ([tmp_path, kmeans], [kmeans, tmp_path]):
        done = nachlass("diff", *pair)
        assert done.returncode == 3
        assert message in done.stderr
        assert "help: rebuild the source" in done.stderr


def test_a_source_may_contain_an_unrelated_manifest_json(source, difference):
    old, new = source("old"), source("new")
    (new / "manifest.json").write_text('{"name": "an app for browsers"}')
    assert difference(old, new)["identical"]


def test_a_missing_path_is_rejected(kmeans, nachlass, tmp_path):
    done = nachlass("diff", tmp_path / "nothing", kmeans)
    assert done.returncode == 3
    assert "does not exist" in done.stderr
