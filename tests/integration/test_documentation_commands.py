"""Every command of the documentation runs, in a clone."""

import json
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

import pytest

from support.documentation import DOCS, PAGES, README, Reader, blocks
from support.project import PROJECT

ELSEWHERE = {
    "make demo": "test_the_demo_runs_in_a_fresh_clone",
    "make test": "runs this test",
    "make docs": "is a step of .ci/run",
    "uv tool install .": "tests/integration/test_wheel.py installs it",
    "python3 examples/spam/replay.py examples/spam/.nachlass/bundle http://localhost:8080": (
        "tests/integration/test_monitoring.py runs it for a shorter time"
    ),
}
IN_IMAGES = {DOCS / "how-to/images.md", DOCS / "how-to/s2i.md"}
"""The pages that tests/image/test_documentation_of_images.py follows."""
TUTORIAL = DOCS / "tutorial/index.md"


def has_commands(file):
    return any(block.language == "sh" and not block.mark for block in blocks(file))


FILES = [
    file for file in PAGES if has_commands(file) and file not in {*IN_IMAGES, TUTORIAL, README}
]


@pytest.fixture
def clone(tmp_path):
    folder = tmp_path / "nachlass"
    subprocess.run(["git", "clone", "--quiet", PROJECT, folder], check=True)
    return folder


@pytest.fixture
def reader(clone, environ, tmp_path):
    return Reader(clone, environ, tmp_path)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_commands_of_a_page_run(reader, file):
    for program in ("prometheus", "node"):
        if f"{program} " in file.read_text(encoding="utf-8") and shutil.which(program) is None:
            pytest.skip(f"{program} is missing; to enable: make test-all")
    assert reader.follow(file, ELSEWHERE) > 0


def test_the_commands_of_the_readme_run(environ, clone, tmp_path):
    """Run the commands for a user's notebook, except the curl of the demo."""
    folder = tmp_path / "iris"
    folder.mkdir()
    reader = Reader(folder, environ, tmp_path)
    curls = {command for block in blocks(README) for command in block.commands if "curl" in command}
    assert len(curls) == 1
    assert reader.follow(README, {*ELSEWHERE, *curls}, "model.ipynb") == 3
    assert "virginica" in reader.log


@contextmanager
def collected_alerts(reader):
    """Collect the alerts that fire while a page is followed."""
    fired, ended = set(), threading.Event()

    def look():
        while not ended.wait(1):
            with suppress(OSError):  # before Prometheus runs, and after
                fired.update(reader.alerts())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield fired
    finally:
        ended.set()
        thread.join()


@pytest.mark.needs("prometheus", "make test-all")
def test_the_tutorial_ends_with_an_alert(reader):
    with collected_alerts(reader) as fired:
        assert reader.follow(TUTORIAL, ELSEWHERE, "my-model/diabetes.ipynb") > 10
    assert {"InputMoved", "PredictionsMoved"} <= fired


@pytest.mark.only_all("it reinstalls every package")
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
