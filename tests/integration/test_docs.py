"""Every command of the documentation runs, in a clone."""

import json
import shutil
import subprocess
import sys
import time

import pytest

from support.pages import DOCS, PAGES, README, Reader, blocks
from support.project import PROJECT

ELSEWHERE = {
    "make demo": "test_the_demo_runs_in_a_fresh_clone",
    "make test": "is what runs this test",
    "make docs": "is a step of .ci/run",
    "uv tool install .": "tests/integration/test_wheel.py installs it so",
    "python3 examples/spam/replay.py examples/spam/.nachlass/bundle http://localhost:8080": (
        "tests/integration/test_monitoring.py runs it for a shorter time"
    ),
}
IN_IMAGES = {DOCS / "how-to/images.md", DOCS / "how-to/s2i.md"}
"""tests/image/test_image_pages.py follows them."""
TUTORIAL = DOCS / "tutorial/index.md"


def runs(file):
    return any(block.language == "sh" and not block.mark for block in blocks(file))


OTHERS = [file for file in PAGES if runs(file) and file not in {*IN_IMAGES, TUTORIAL, README}]


@pytest.fixture
def clone(tmp_path):
    folder = tmp_path / "nachlass"
    subprocess.run(["git", "clone", "--quiet", PROJECT, folder], check=True)
    return folder


@pytest.fixture
def reader(clone, environ, tmp_path):
    return Reader(clone, environ, tmp_path)


@pytest.mark.parametrize("file", OTHERS, ids=lambda file: file.stem)
def test_commands_of_a_page(reader, file):
    if "prometheus " in file.read_text(encoding="utf-8") and shutil.which("prometheus") is None:
        pytest.skip("prometheus is missing; to enable: make test-all")
    assert reader.follow(file, ELSEWHERE) > 0


def test_commands_of_the_readme(environ, clone, tmp_path):
    """Those for a notebook of one's own, in its folder; the curl is test_the_demo's."""
    folder = tmp_path / "iris"
    folder.mkdir()
    reader = Reader(folder, environ, tmp_path)
    curls = {command for block in blocks(README) for command in block.commands if "curl" in command}
    assert len(curls) == 1
    assert reader.follow(README, {*ELSEWHERE, *curls}, "model.ipynb") == 3
    assert "virginica" in reader.log


@pytest.mark.needs("prometheus", "make test-all")
def test_the_tutorial_ends_with_an_alert(reader, monkeypatch):
    """Its last command but one is the one that has the alert fire."""
    fired = set()
    end = reader.end

    def wait_and_end():
        ends_at = time.monotonic() + 60
        while sys.exc_info()[0] is None and not {"InputMoved", "PredictionsMoved"} <= fired:
            fired.update(reader.alerts())
            assert time.monotonic() < ends_at, fired
            time.sleep(1)
        end()

    monkeypatch.setattr(reader, "end", wait_and_end)
    assert reader.follow(TUTORIAL, ELSEWHERE, "my-model/diabetes.ipynb") > 10
    assert {"InputMoved", "PredictionsMoved"} <= fired


@pytest.mark.only_all("it installs every package again")
def test_the_demo_runs_in_a_fresh_clone(clone, environ, tmp_path):
    reader = Reader(clone, environ, tmp_path)
    reader.run(f"make demo PYTHON={sys.executable}")
    try:
        for block in blocks(README):
            for command in block.commands:
                if block.language == "sh" and "curl" in command:
                    reader.run(command)
        assert int(json.loads(reader.log.splitlines()[-1])) in range(7)
    finally:
        reader.end()
