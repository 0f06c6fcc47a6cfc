"""The commands on folders, files, git URLs and bundles."""

import json
import shutil
import subprocess
import tarfile
import time
from datetime import datetime
from platform import python_version

import pytest

from nachlass_builder import __version__
from nachlass_builder.bundle.contents import digest_of_bundle
from nachlass_builder.bundle.layout import service_wheel
from nachlass_builder.bundle.manifest import load_manifest
from nachlass_builder.cli.main import EXIT_CODES
from nachlass_builder.foundation.errors import KINDS
from support.cells import write_notebook

MODEL = """\
# %%
from pathlib import Path
Path("ran.txt").open("a").write("x")
# %%
def predictor(x):
    return sum(x)
# %%
samples = [[1, 2], [3.5, 4]]
"""


@pytest.fixture
def source(tmp_path):
    root = tmp_path / "Mein Modell"
    write_notebook(root / "model.ipynb", MODEL)
    return root


def git(folder, *words):
    identity = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org"]
    subprocess.run(["git", "-C", folder, *identity, *words], check=True, capture_output=True)


def manifest(bundle):
    return json.loads((bundle / "manifest.json").read_text())


def test_the_version_is_one_line(nachlass):
    result = nachlass("--version")
    assert result.stdout == f"nachlass {__version__} (Python {python_version()})\n"


def test_a_bundle_is_written_into_the_source_folder(source, nachlass):
    built = nachlass("build", source)
    assert built.returncode == 0, built.stderr
    bundle = source / ".nachlass" / "bundle"
    assert built.stdout == f"{bundle}\n"
    wheel = service_wheel(bundle, load_manifest(bundle))
    assert {path.name for path in bundle.iterdir()} == {
        "manifest.json",
        "model.pickle",
        "samples.jsonl",
        "pylock.training.toml",
        "pylock.serving.toml",
        "sbom.cdx.json",
        "notebook.ipynb",
        "notebook.html",
        "src",
        wheel.name,
    }
    assert (bundle / "src" / "ran.txt").read_text() == "x"
    assert not (source / "ran.txt").exists()
    assert {path.name for path in source.iterdir()} == {"model.ipynb", ".nachlass"}
    assert "http" not in "".join(
        line for line in (bundle / "notebook.html").read_text().splitlines() if "src=" in line
    )


def test_an_unchanged_source_is_not_executed_again(source, nachlass):
    nachlass("build", source)
    bundle = source / ".nachlass" / "bundle"
    created = manifest(bundle)["created"]
    started = time.monotonic()
    again = nachlass("build", source)
    assert time.monotonic() - started < 30
    assert "unchanged" in again.stderr
    assert manifest(bundle)["created"] == created
    write_notebook(source / "model.ipynb", MODEL.replace("sum", "max"))
    changed = nachlass("build", source)
    assert "the previous bundle's lock is kept" in changed.stderr
    assert "the environment is reused" in changed.stderr
    assert nachlass("predict", source, "[1, 5]").stdout == "5\n"


def test_changed_parameters_and_force_trigger_a_rebuild(source, nachlass):
    nachlass("build", source)
    bundle = source / ".nachlass" / "bundle"
    keys = {manifest(bundle)["key"]}
    nachlass("build", source, "-e", "DEPTH=3")
    keys.add(manifest(bundle)["key"])
    (source / ".s2i").mkdir()
    (source / ".s2i" / "environment").write_text("DEPTH=4\n")
    nachlass("build", source)
    keys.add(manifest(bundle)["key"])
    assert len(keys) == 3
    assert "unchanged:" in nachlass("build", source).stderr
    assert "executing" in nachlass("build", source, "--force").stderr


def test_a_commit_without_changes_only_updates_the_manifest(source, nachlass):
    nachlass("build", source)
    bundle = source / ".nachlass" / "bundle"
    before = manifest(bundle)
    assert before["source"]["commit"] is None
    git(source, "init", "-q")
    git(source, "add", "-A")
    git(source, "commit", "-q", "-m", "One")
    again = nachlass("build", source)
    assert "unchanged:" in again.stderr, again.stderr
    assert manifest(bundle)["source"]["dirty"] is False
    assert len(manifest(bundle)["source"]["commit"]) == 40
    assert manifest(bundle)["source"]["notebooks"][0]["name"] == "model.ipynb"
    assert manifest(bundle)["digest"] != before["digest"]
    committed = subprocess.run(
        ["git", "-C", source, "log", "-1", "--format=%ct"], capture_output=True, check=True
    ).stdout
    created = manifest(bundle)["created"]
    assert datetime.fromisoformat(created).timestamp() == int(committed)
    bill = json.loads((bundle / "sbom.cdx.json").read_text())
    assert bill["metadata"]["timestamp"] == created
    assert bill["metadata"]["component"]["version"] == manifest(bundle)["version"]
    assert manifest(bundle)["digest"] == digest_of_bundle(bundle, load_manifest(bundle))


def test_a_git_url_with_a_ref_and_a_folder_is_built(source, nachlass, tmp_path):
    repository = tmp_path / "repository"
    shutil.copytree(source, repository / "models" / "sum")
    git(repository, "init", "-q", "-b", "main")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "One")
    git(repository, "tag", "v1")
    git(repository, "rm", "-rq", ".")
    git(repository, "commit", "-q", "-m", "Gone")
    words = (f"file://{repository}#v1", "--context-dir", "models/sum")
    built = nachlass("build", *words)
    assert built.returncode == 0, built.stderr
    assert manifest(tmp_path.__class__(built.stdout.strip()))["name"] == "sum"
    assert nachlass("predict", *words[:1], "[1, 2]", *words[1:]).stdout == "3\n"


def test_a_moved_bundle_predicts_without_its_source(source, nachlass, tmp_path):
    nachlass("build", source, "-o", tmp_path / "bundle")
    moved = tmp_path / "elsewhere" / "sum of two"
    moved.parent.mkdir()
    (tmp_path / "bundle").rename(moved)
    shutil.rmtree(source)
    predicted = nachlass("predict", moved, "[1, 2]")
    assert predicted.stdout == "3\n", predicted.stderr


@pytest.mark.parametrize("text", ["", "nonsense", "[NaN]", '["a"]', "{"])
def test_an_invalid_sample_is_reported_on_standard_error(built_cells, nachlass, text):
    predicted = nachlass("predict", built_cells("sum", MODEL), "-", stdin=text)
    assert predicted.returncode == 10
    assert predicted.stdout == ""
    assert "error: " in predicted.stderr


def test_a_folder_that_is_not_a_bundle_is_not_replaced(source, nachlass, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("x")
    rejected = nachlass("build", source, "-o", precious)
    assert rejected.returncode == 3
    assert "not a bundle" in rejected.stderr
    assert (precious / "thesis.tex").exists()


def test_an_output_folder_inside_the_source_is_not_copied(source, nachlass):
    first = nachlass("build", source, "-o", source / "out")
    assert first.returncode == 0, first.stderr
    assert "unchanged:" in nachlass("build", source, "-o", source / "out").stderr
    assert not (source / "out" / "src" / "out").exists()


def test_check_executes_nothing(source, nachlass):
    write_notebook(
        source / "model.ipynb",
        MODEL + '# %%\nrequirements = ["numpy"]\n# %%\nopen("/tmp/x/y/z", "w")\nimport sklearn',
    )
    checked = nachlass("check", source)
    assert checked.returncode == 0
    assert "predictor       model.ipynb, cell 2, line 1" in checked.stdout
    assert "numpy                           model.ipynb, cell 4, line 1" in checked.stdout
    assert "imports that no requirement provides: `sklearn`" in checked.stderr
    assert not (source / ".nachlass").exists()
    listed = nachlass("check", source, "--requirements")
    assert listed.stdout == "numpy  # model.ipynb, cell 4, line 1\n"


@pytest.mark.parametrize(
    "files",
    [
        {"requirements.txt": "--no-binary evil\n--find-links links\nevil\n"},
        {
            "requirements.txt": "--find-links links\nevil\n",
            "uv.toml": 'no-binary-package = ["evil"]\n',
        },
    ],
)
def test_check_finds_missing_requirements_without_building_packages(
    source, nachlass, tmp_path, files
):
    mark = tmp_path / "executed"
    package = tmp_path / "evil-1.0"
    package.mkdir()
    (package / "setup.py").write_text(
        f"open({str(mark)!r}, 'w')\nfrom setuptools import setup\nsetup(name='evil', version='1.0')"
    )
    (source / "links").mkdir()
    with tarfile.open(source / "links/evil-1.0.tar.gz", "w:gz") as archive:
        archive.add(package, "evil-1.0")
    for name, text in files.items():
        (source / name).write_text(text)
    write_notebook(source / "model.ipynb", f"{MODEL}# %%\nimport sklearn")
    checked = nachlass("check", source)
    assert "add to requirements.txt:" in checked.stderr
    assert not mark.exists()


def test_check_reports_a_missing_predictor(source, nachlass):
    write_notebook(source / "model.ipynb", "# %%\ndef predict(x):\n    return 1")
    checked = nachlass("check", source)
    assert checked.returncode == 4
    assert "no cell defines `predictor`" in checked.stderr


def test_every_failure_has_its_own_documented_exit_code(nachlass):
    codes = [kind.exit_code for kind in KINDS]
    assert len(set(codes)) == len(codes)
    shown = nachlass("--help").stdout
    for line in EXIT_CODES.splitlines()[2:]:
        assert line.split(maxsplit=1)[1] in shown
    assert nachlass("build").returncode == 2
    assert nachlass("build", "absent").returncode == 3
