"""Builds and serves every tiny repository beside this file, and compares the results.

A case is a folder:

    case.toml     about = "what it shows"
                  arguments = [...]        words for `nachlass build`, after the source
                  source = "sub/model.ipynb"   when not the folder itself
                  environment = {...}      variables
                  git = true               make the source a git repository
                  large = true             its packages are too large to keep, and it runs only in
                                           `make test-all`
                  python = "3.11"          it applies to this version of Python only
                  exit = 6                 the exit code; 0 when absent
                  says = [...]             text the build must print
                  silent = [...]           text it must not print
                  manifest = {...}         values the manifest must have
                  [[predict]]              sample and its prediction; or `fails`, in the log;
                                           by = "command": scored without a service
                  service = {...}          variables of the service
                  wheels = [{...}]         wheels to make in wheels/: arguments of make_wheel
    repo/         the source; NAME.nb.txt becomes NAME.ipynb (tests/support/cells.py)
    refusal.txt   the complete error message, when the exit code is not 0

`NACHLASS_WRITE_REFUSALS=1` rewrites refusal.txt; review the diff.
"""

import json
import os
import platform
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from nachlass_service.bundle.agreement import agree
from support.cells import write_notebook
from support.project import ALL
from support.repositories import commit_all
from support.served import check_samples, served
from support.wheels import make_wheel

NOWHERE_ELSE = "9999"
"""The version of a case's wheels, because an index may have others of the same name."""
HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("*/case.toml"))


@pytest.fixture
def source(tmp_path):
    def make(case, settings):
        root = tmp_path / "repo"
        shutil.copytree(case / "repo", root, symlinks=True)
        for text in root.rglob("*.nb.txt"):
            write_notebook(
                text.parent / f"{text.name.removesuffix('.nb.txt')}.ipynb", text.read_text()
            )
            text.unlink()
        for wheel in settings.get("wheels", []):
            make_wheel(root / "wheels", version=NOWHERE_ELSE, **wheel)
        if settings.get("git"):
            commit_all(root)
        return root

    return make


def parameters():
    """Yield every case with its settings."""
    for case in CASES:
        settings = tomllib.loads((case / "case.toml").read_text())
        yield pytest.param(case, settings, id=case.name)


@pytest.mark.parametrize(("case", "settings"), list(parameters()))
def test_case(case, settings, source, nachlass, environ, tmp_path):
    if settings.get("large") and not ALL:
        pytest.skip("its packages are large; to enable: make test-all")
    here = ".".join(platform.python_version_tuple()[:2])
    if settings.get("python", here) != here:
        pytest.skip(f"it is about Python {settings['python']}; to enable: run the tests with it")
    root = source(case, settings)
    bundle = tmp_path / "bundle"
    environment = settings.get("environment", {})
    if settings.get("large"):
        environ |= {"S2I_CACHE_DIR": str(tmp_path / "cache"), "UV_CACHE_DIR": str(tmp_path / "uv")}
    words = ["build", root / settings.get("source", ""), "-o", bundle]
    words += settings.get("arguments", [])
    result = nachlass(*words, environment=environment)
    assert result.returncode == settings.get("exit", 0), result.stderr
    for text in settings.get("says", []):
        assert text in result.stderr
    for text in settings.get("silent", []):
        assert text not in result.stderr
    if settings.get("exit"):
        assert not bundle.exists()
        assert not list(tmp_path.glob(".bundle*"))
        compare_refusal(case, normalized(result.stderr, root))
        return
    compare_manifest(bundle, settings.get("manifest", {}))
    with served(
        bundle, {**environ, "WEB_CONCURRENCY": "1"}, **settings.get("service", {})
    ) as service:
        check_samples(bundle, service)
        for expected in settings.get("predict", []):
            if expected.get("by") == "command":
                scored = nachlass("predict", bundle, json.dumps(expected["sample"]))
                assert json.loads(scored.stdout) == expected["prediction"], scored.stderr
            else:
                compare_prediction(service, expected)


def compare_refusal(case, refusal):
    path = case / "refusal.txt"
    if os.environ.get("NACHLASS_WRITE_REFUSALS"):
        path.write_text(refusal)
    assert refusal == path.read_text()


def compare_manifest(bundle, expected):
    manifest = json.loads((bundle / "manifest.json").read_text())
    for path, value in expected.items():
        found = manifest
        for key in path.split("."):
            found = found[key]
        assert found == value, path


def compare_prediction(service, expected):
    status, answer = service.predict(expected["sample"])
    if "fails" in expected:
        assert status in (422, 500), answer
        message = answer["detail"] + service.log_file.read_text(encoding="utf-8")
        assert expected["fails"] in message
        return
    assert status == 200, answer
    assert agree(answer, expected["prediction"]), answer


def normalized(stderr, root):
    """Normalise the parts of the error message that differ from run to run."""
    text = stderr[stderr.index("error: ") :]
    text = text.replace(str(root), "REPO").replace(platform.python_version(), "PYTHON")
    text = re.sub(r"/\S*?\.bundle\.making", "MAKING", text)
    text = re.sub(r"[\d,]+ MiB", "N MiB", text)
    newest = re.compile(r'^( {8}\["[\w-]+", )"[\d.]+"\],$', re.MULTILINE)
    text = newest.sub(r'\1"VERSION"],', text)
    text = re.sub(r"(?<= on )(https?|file)://.*", "INDEX", text)
    return re.sub(r"0x[0-9a-f]{6,}", "0xADDRESS", text)
