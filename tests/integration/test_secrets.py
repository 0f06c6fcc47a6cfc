"""A bundle contains no secrets of its source and parameters, and rows only if allowed."""

import json

import nbformat
import pytest

from nachlass_service.bundle.bundle import Bundle
from support.cells import write_notebook
from support.planted import FILES, plant
from support.served import served

MODEL = """# %%
import os
counts = [len(os.environ[name]) for name in ("API_TOKEN", "DATABASE", "SETTING")]
print(len(counts), "parameters")
# %%
def predictor(x):
    return x + len(counts)
samples = list(range(60))
"""


def assignments(parameters):
    return [word for name, value in parameters.items() for word in ("-e", f"{name}={value}")]


def manifest_of(bundle):
    return json.loads((bundle / "manifest.json").read_text())


def files_with(folder, text):
    """Return the files of a folder, without links, that contain a text."""
    inside = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert inside
    return [path for path in inside if text.encode() in path.read_bytes()]


def test_planted_secrets_are_reported_and_left_out_of_the_bundle(nachlass, tmp_path):
    source, bundle = tmp_path / "source", tmp_path / "bundle"
    write_notebook(source / "model.ipynb", MODEL)
    parameters, marks = plant(source)
    built = nachlass("build", source, "-o", bundle, *assignments(parameters))
    assert built.returncode == 0, built.stderr
    [warning] = [line for line in built.stderr.splitlines() if "left out as secrets" in line]
    for name in FILES:
        assert f"{name} (" in warning
    assert files_with(bundle, "predictor"), "nothing is found"
    for mark in marks:
        assert files_with(bundle, mark) == []
        assert mark not in built.stdout + built.stderr
    assert manifest_of(bundle)["parameters"] == {
        "API_TOKEN": "***",
        "DATABASE": "postgresql://***@db.example.org/x",
        "SETTING": "***",
    }

    same = nachlass("build", source, "-o", bundle, *assignments(parameters))
    assert "is kept" in same.stderr
    key = manifest_of(bundle)["key"]
    changed = {**parameters, "API_TOKEN": f"{parameters['API_TOKEN']}-another"}
    again = nachlass("build", source, "-o", bundle, *assignments(changed))
    assert "executing the notebook" in again.stderr
    assert manifest_of(bundle)["key"] == key


KEPT = "# %%\nimport os\ntoken = os.environ['API_TOKEN']\n"
CALLED = "# %%\nimport os\ndef predictor(x):\n    return len(os.environ['API_TOKEN'])\n"
TAKEN = f"{KEPT}# %%\ndef predictor(x):\n    return len(token)\n"
SHOWN = f"{KEPT}# %%\nprint('it is', token)\n# %%\ndef predictor(x):\n    return x\n"
WRITTEN = f"{KEPT}open('made.txt', 'w').write(token)\n# %%\ndef predictor(x):\n    return x\n"
CODED = "import base64\ncoded = base64.b64encode(token.encode())\n"
DERIVED = f"{KEPT}{CODED}# %%\ndef predictor(x):\n    return len(coded)\n"
SAMPLED = f"{KEPT}samples = [token]\n# %%\ndef predictor(x):\n    return x\n"


@pytest.mark.parametrize(
    ("cells", "what", "place", "remedy"),
    [
        (TAKEN, "the pickle", "cell 1, line 2", 'os.environ["API_TOKEN"] in the body of'),
        (SAMPLED, "the samples", "cell 1, line 2", 'os.environ["API_TOKEN"] in the body of'),
        (DERIVED, "the pickle", "cell 1, line 2", 'os.environ["API_TOKEN"] in the body of'),
        (WRITTEN, "a file of the source", "cell 1, line 2", "do not write it to files there"),
        (SHOWN, "the output of the cell", "cell 2", "do not print it"),
    ],
)
def test_a_secret_parameter_stored_by_a_cell_fails_the_build(
    nachlass, tmp_path, cells, what, place, remedy
):
    write_notebook(tmp_path / "source/model.ipynb", cells)
    words = ["build", tmp_path / "source", "-o", tmp_path / "bundle", "-e", "API_TOKEN=pla1nted-x"]
    rejected = nachlass(*words)
    assert rejected.returncode == 7
    message = f"error: model.ipynb, {place}: the value of the secret API_TOKEN is in {what}"
    assert message in rejected.stderr
    assert remedy in rejected.stderr
    assert "pla1nted-x" not in rejected.stderr
    assert not (tmp_path / "bundle").exists()
    shipped = nachlass(*words, "-e", "S2I_SHIP=API_TOKEN")
    assert shipped.returncode == 0, shipped.stderr


def test_a_secret_read_by_the_predictor_is_not_in_the_bundle(nachlass, environ, tmp_path):
    bundle = tmp_path / "bundle"
    write_notebook(tmp_path / "source/model.ipynb", f"{CALLED}samples = [1]\n")
    built = nachlass("build", tmp_path / "source", "-o", bundle, "-e", "API_TOKEN=pla1nted-x")
    assert built.returncode == 0, built.stderr
    assert files_with(bundle, "pla1nted-x") == []
    with served(bundle, environ, WEB_CONCURRENCY="1", API_TOKEN="another") as service:
        assert service.predict(1) == (200, 7)


def test_a_secret_file_in_s2i_ship_is_shipped(nachlass, tmp_path):
    source, bundle = tmp_path / "source", tmp_path / "bundle"
    cells = "# %%\nkey = open('conf/public.key').read()\ndef predictor(x):\n    return key\n"
    write_notebook(source / "model.ipynb", f"{cells}samples = [1]\n")
    (source / "conf").mkdir()
    (source / "conf/public.key").write_text("mine")
    rejected = nachlass("build", source, "-o", bundle)
    assert rejected.returncode == 6
    assert "it looks like a key store and is left out of bundles" in rejected.stderr
    built = nachlass("build", source, "-o", bundle, "-e", "S2I_SHIP=conf/*.key")
    assert built.returncode == 0, built.stderr
    assert (bundle / "src/conf/public.key").read_text() == "mine"


@pytest.mark.parametrize(
    "name", ["KEY_COLUMN=customer_id", "MAX_TOKEN=4096", "SORT_KEY=age_1", "MY_PWD=/home/someone"]
)
def test_a_parameter_that_only_sounds_like_a_secret_is_allowed(nachlass, tmp_path, name):
    cells = f"# %%\nimport os\nvalue = os.environ[{name.partition('=')[0]!r}]\n"
    cells += "# %%\ndef predictor(x):\n    return value\nsamples = [1]\n"
    write_notebook(tmp_path / "source/model.ipynb", cells)
    built = nachlass("build", tmp_path / "source", "-o", tmp_path / "bundle", "-e", name)
    assert built.returncode == 0, built.stderr


def test_secrets_are_masked_in_the_error_of_a_failing_cell(nachlass, tmp_path):
    cells = f"{KEPT}raise RuntimeError('401 for ?key=' + token)\n# %%\ndef predictor(x): pass\n"
    write_notebook(tmp_path / "source/model.ipynb", cells)
    failed = nachlass("build", tmp_path / "source", "-e", "API_TOKEN=pla1nted-x")
    assert failed.returncode == 6
    assert "RuntimeError: 401 for ?key=***" in failed.stderr
    assert "pla1nted" not in failed.stderr


def test_a_secret_from_the_environment_also_fails_the_build(nachlass, tmp_path):
    write_notebook(tmp_path / "source/model.ipynb", TAKEN)
    environment = {"API_TOKEN": "pla1nted-x"}
    rejected = nachlass("build", tmp_path / "source", environment=environment)
    assert rejected.returncode == 7
    assert "the value of the secret API_TOKEN is in the pickle" in rejected.stderr


ROWS = """# %%
import json
people = [{"name": f"person {n}", "age": n % 50} for n in range(80)]
print(people[:3])
# %%
def predictor(x):
    return x["age"] > 20
samples = people
"""


def test_a_bundle_built_without_rows_contains_no_rows(nachlass, environ, tmp_path):
    source, bundle = tmp_path / "source", tmp_path / "bundle"
    write_notebook(source / "model.ipynb", ROWS)
    beside = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("people")])
    beside.cells[0].outputs = [nbformat.v4.new_output("stream", text="person 7 of the file\n")]
    nbformat.write(beside, source / "explore.ipynb")
    built = nachlass("build", source, "-o", bundle, environment={"S2I_SHIP_ROWS": "0"})
    assert built.returncode == 0, built.stderr
    assert "the bundle has no samples and no cell outputs" in built.stderr
    for row in ("person 1'", 'person 1"', "person 7"):
        assert files_with(bundle, row) == []
    manifest = manifest_of(bundle)
    assert (manifest["samples"]["count"], manifest["samples"]["shipped"]) == (80, 0)
    assert manifest["input"]["example"] is None
    assert manifest["input"]["schema"]["required"] == ["age", "name"]
    assert sum(manifest["baseline"]["predictions"][""].values()) == 80
    with served(bundle, environ, WEB_CONCURRENCY="1") as service:
        assert service.predict({"name": "a", "age": 21}) == (200, True)
        assert service.request("GET", "/")[0] == 200
    assert (
        "is kept"
        in nachlass("build", source, "-o", bundle, environment={"S2I_SHIP_ROWS": "0"}).stderr
    )
    assert list(Bundle.open(bundle).samples()) == []
