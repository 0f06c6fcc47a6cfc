"""The manifest records the inputs of a model: files as they were read, parameters, commit."""

import hashlib
import json
import os
import sqlite3
from contextlib import closing

import pytest

from support.cells import write_notebook
from support.repositories import commit_all

GHOST = "ghp_0123456789abcdefghijABCDEFGHIJ012345"

READER = """\
# %%
requirements = ["pandas"]
import csv, gzip, json, os, sqlite3, subprocess, tempfile, threading
from pathlib import Path
import numpy as np, pandas as pd
import helpers
outside = Path(os.environ["OUTSIDE"])
# %%
pd.read_csv("frame.csv")
json.load(open("deep/é.json"))
np.load("array.npy", mmap_mode="r")
Path("link.txt").read_text()
gzip.open(outside / "packed.gz").read()
sqlite3.connect(f"file:{outside}/base.db?mode=ro", uri=True).execute("select * from t").fetchall()
subprocess.run(["cat", "by-a-child.txt"], check=True)
os.listdir(outside)
open("/etc/hosts").read()
# %%
Path("made.csv").write_text("a\\n1\\n")
pd.read_csv("made.csv")
with tempfile.NamedTemporaryFile("w+") as gone:
    open(gone.name).read()
subprocess.run("echo 1 > by-the-shell.csv", shell=True)
open("by-the-shell.csv").read()
# %%
# read, then changed, replaced or removed by the notebook
open("appended.txt").read()
open("appended.txt", "a").write("more")
with open("updated.txt", "r+") as file:
    file.read()
    file.write("other")
open("replaced.txt").read()
Path("other.txt").write_text("other")
os.replace("other.txt", "replaced.txt")
open("removed.txt").read()
os.remove("removed.txt")
base = sqlite3.connect("changed.db")
base.execute("insert into t values (2)")
base.commit()
open("by-a-child-later.txt").read()
subprocess.run("echo other >> by-a-child-later.txt", shell=True)
# %%
# not recorded: a FIFO, a folder, a missing file, code
os.mkfifo("pipe")
writer = threading.Thread(target=lambda: open("pipe", "w").write("through"))
writer.start()
assert open("pipe").read() == "through"
writer.join()
for name in (".", "nowhere"):
    try:
        open(name)
    except OSError:
        pass
open("helpers.py").read()
# %%
open(outside / ".netrc").read()
open(outside / ".ssh" / "config").read()
Path("api-token.txt").read_text()
# %%
def predictor(x):
    open("only-when-asked.txt").read()
    return helpers.VALUE
# %%
samples = [1]
"""


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def outside(tmp_path):
    """Create files outside the source; return their digests by name."""
    folder = tmp_path / "outside"
    (folder / ".ssh").mkdir(parents=True)
    (folder / "packed.gz").write_bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0")
    (folder / "base.db").write_bytes(database())
    (folder / ".netrc").write_text("machine example.org login me password abc123")
    (folder / ".ssh" / "config").write_text("Host example.org")
    (folder / "linked.txt").write_text("linked")
    (folder / "listed.txt").write_text("never opened")
    return folder


def database():
    """Create a small sqlite database."""
    with closing(sqlite3.connect(":memory:")) as base:
        base.execute("create table t (a)")
        base.commit()
        return base.serialize()


def array():
    """Return the bytes of `numpy.save` for [1.0, 2.0], without numpy."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }"
    header = header.ljust(117) + b"\n"
    body = b"\0\0\0\0\0\0\xf0?\0\0\0\0\0\0\0@"
    return b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header + body


@pytest.fixture
def source(tmp_path, outside):
    folder = write_notebook(tmp_path / "source/model.ipynb", READER).parent
    (folder / "helpers.py").write_text("VALUE = 7\n")
    (folder / "deep").mkdir()
    contents = {
        "frame.csv": b"a,b\n1,2\n",
        "deep/é.json": b"[1]",
        "array.npy": array(),
        "changed.db": database(),
        "api-token.txt": b"abc123",
        "only-when-asked.txt": b"later",
        "untouched.txt": b"never",
        **{
            f"{name}.txt": name.encode()
            for name in "by-a-child by-a-child-later appended updated replaced removed".split()
        },
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "link.txt").symlink_to(outside / "linked.txt")
    return folder


@pytest.fixture
def build(nachlass, source, outside):
    def run(*words):
        done = nachlass("build", source, "-e", f"OUTSIDE={outside}", *words)
        assert done.returncode == 0, done.stderr
        manifest = json.loads((source / ".nachlass/bundle/manifest.json").read_text())
        return manifest, done.stderr

    return run


def test_files_read_by_the_notebook_are_in_the_manifest(build, source, outside):
    originals = {
        path.relative_to(source).as_posix(): sha256(path.read_bytes())
        for path in source.rglob("*")
        if path.is_file()
    }
    data = build()[0]["data"]
    assert data["problems"] == []
    assert data["more"] == 0
    files = {file["path"]: file for file in data["files"]}
    read = {"frame.csv", "deep/é.json", "array.npy", "by-a-child.txt"}
    changed = {"appended.txt", "updated.txt", "replaced.txt", "removed.txt", "changed.db"}
    for name in read | changed:
        assert files[name]["sha256"] == originals[name], name
        assert (files[name]["inside"], files[name]["written"]) == (True, False), name
        assert files[name]["bytes"] == (source / name).stat().st_size
    late = files["by-a-child-later.txt"]
    assert (late["sha256"], late["reason"]) == (None, "it was changed after it was read")
    made = {file["path"]: file["sha256"] for file in data["files"] if file["written"]}
    assert made == {"made.csv": sha256(b"a\n1\n"), "by-the-shell.csv": sha256(b"1\n")}
    for name in ("packed.gz", "base.db", "linked.txt"):
        file = files[str(outside / name)]
        assert file["sha256"] == sha256((outside / name).read_bytes())
        assert (file["inside"], file["written"]) == (False, False)
    secrets = {"api-token.txt", str(outside / ".netrc"), str(outside / ".ssh/config")}
    for name in secrets:
        assert files[name]["reason"] == "it is a secret"
        assert (files[name]["sha256"], files[name]["bytes"]) == (None, None)
    seen_outside = {str(outside / name) for name in ("packed.gz", "base.db", "linked.txt")}
    assert files.keys() == read | changed | made.keys() | secrets | seen_outside | {
        "by-a-child-later.txt"
    }


def test_changed_data_outside_the_source_triggers_a_rebuild(build, outside):
    first, output = build()
    assert "files read by the notebook, 5 of them outside the source" in output
    data = outside / "linked.txt"
    os.utime(data)
    (outside / ".netrc").write_text("changed, but not recorded in a bundle")
    assert build()[0]["digest"] == first["digest"]
    data.write_text("LINKED")
    second, output = build()
    assert f"{data} has changed since the notebook read it" in output
    assert second["digest"] != first["digest"]
    assert sha256(b"LINKED") in {file["sha256"] for file in second["data"]["files"]}
    data.unlink()
    third, output = build()
    assert f"warning: {data}, which the notebook read, is gone" in output
    assert third == second


def test_the_number_of_listed_files_is_limited(nachlass, tmp_path):
    many = tmp_path / "many"
    many.mkdir()
    for number in range(1200):
        (many / f"{number:04}").write_text(str(number))
    write_notebook(
        tmp_path / "source/model.ipynb",
        f"# %%\nfor number in [*range(1200), 5]:\n    open(f'{many}/{{number:04}}').read()\n"
        "def predictor(x):\n    return 1\n",
    )
    done = nachlass("build", tmp_path / "source", "-o", tmp_path / "bundle")
    assert done.returncode == 0, done.stderr
    data = json.loads((tmp_path / "bundle/manifest.json").read_text())["data"]
    assert [file["path"] for file in data["files"]] == [f"{many}/{n:04}" for n in range(1000)]
    assert data["more"] == 200
    assert "1200 files read by the notebook, 1000 of them outside the source" in done.stderr


def test_a_read_that_cannot_be_recorded_does_not_fail_the_cell(nachlass, tmp_path):
    source = write_notebook(
        tmp_path / "source/model.ipynb",
        "# %%\nimport os\nreal, os.path.realpath = os.path.realpath, None\n"
        "text = open('a.txt').read()\nos.path.realpath = real\n"
        "def predictor(x):\n    return text\n",
    ).parent
    (source / "a.txt").write_text("a")
    done = nachlass("build", source, "-o", tmp_path / "bundle")
    assert done.returncode == 0, done.stderr
    assert "the list of files that were read may be incomplete: open: TypeError" in done.stderr
    data = json.loads((tmp_path / "bundle/manifest.json").read_text())["data"]
    assert [file["path"] for file in data["files"]] == ["a.txt"]  # by its time of access


def test_files_written_by_an_earlier_notebook_of_a_pipeline_are_marked_as_written(
    nachlass, tmp_path
):
    stage = (
        "# %%\nrequirements = ['scikit-learn', 'cloudpickle']\n"
        "import os, cloudpickle\nfrom sklearn.dummy import DummyRegressor\n"
        "from sklearn.preprocessing import FunctionTransformer\n{}\n"
        "with open(os.environ['S2I_PIPELINE_STAGE_SAVE_FILE'], 'wb') as file:\n"
        "    cloudpickle.dump({}, file)\n"
    )
    write = "open('input.txt').read()\nopen('between.txt', 'w').write('between')"
    read = "open('input.txt').read()\nopen('between.txt').read()\nopen('last.txt').read()"
    source = tmp_path / "source"
    write_notebook(source / "a.ipynb", stage.format(write, "FunctionTransformer()"))
    fitted = "DummyRegressor().fit([[1]], [2])"
    write_notebook(source / "b.ipynb", stage.format(read, fitted))
    for name in ("input.txt", "last.txt"):
        (source / name).write_text(name)
    done = nachlass(
        "build", source, "-o", tmp_path / "bundle", "-e", "S2I_SOURCE_NOTEBOOK_LIST=a.ipynb,b.ipynb"
    )
    assert done.returncode == 0, done.stderr
    files = json.loads((tmp_path / "bundle/manifest.json").read_text())["data"]["files"]
    assert [(file["path"], file["written"]) for file in files] == [
        ("between.txt", True),
        ("input.txt", False),
        ("last.txt", False),
    ]


def test_secrets_in_parameters_are_masked(nachlass, tmp_path):
    source = write_notebook(
        tmp_path / "source/model.ipynb", "# %%\ndef predictor(x):\n    return 1\n"
    ).parent
    (source / ".s2i").mkdir()
    (source / ".s2i/environment").write_text(
        "DEPTH=3\nDB_PASSWORD=hunter2\nS2I_MODEL_NAME=named\nPIP_NO_INPUT=1\n"
    )
    done = nachlass(
        *("build", source, "-o", tmp_path / "bundle"),
        *("-e", f"INNOCENT={GHOST}"),
        *("-e", "WHERE=https://me:hunter2@example.org/data"),
        *("-e", "WHOSE=a swordfish"),
        environment={"S2I_LOG_FORMAT": "json", "PIP_INDEX_TOKEN": "swordfish", "OTHER": "1"},
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "bundle/manifest.json").read_text()
    assert json.loads(text)["parameters"] == {
        "DB_PASSWORD": "***",
        "DEPTH": "3",
        "INNOCENT": "***",
        "S2I_LOG_FORMAT": "json",
        "WHERE": "https://***@example.org/data",
        "WHOSE": "a ***",
    }
    for secret in (GHOST, "hunter2", "swordfish"):
        assert secret not in text


def test_the_commit_is_in_the_manifest(nachlass, tmp_path):
    source = write_notebook(
        tmp_path / "source/model.ipynb", "# %%\ndef predictor(x):\n    return 1\n"
    ).parent
    commit = commit_all(source)
    for dirty in (False, True):
        done = nachlass("build", source)
        assert done.returncode == 0, done.stderr
        manifest = json.loads((source / ".nachlass/bundle/manifest.json").read_text())
        assert manifest["source"]["commit"] == commit
        assert manifest["source"]["dirty"] is dirty
        (source / "more.txt").write_text("more")
    [notebook] = manifest["source"]["notebooks"]
    assert notebook["digest"] == sha256((source / "model.ipynb").read_bytes())
