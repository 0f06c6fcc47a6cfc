"""`nachlass image`: the small image, and that only what has changed is made again."""

import json
import subprocess

import pytest
from conftest import PROJECT, only_where_containers_run
from containers import check_example

from cells import write_notebook
from command import NACHLASS

pytestmark = only_where_containers_run

KMEANS = PROJECT / "examples/kmeans/model.ipynb"
READ_ONLY = ("--user", "12345:0", "--read-only", "--tmpfs", "/tmp")


@pytest.fixture
def image(engine, environ):
    """Run `nachlass image` where podman has the tests' configuration."""

    def run(source, tag, *words):
        command = [NACHLASS, "image", source, "-t", tag, *words]
        return subprocess.run(
            list(map(str, command)),
            env={**engine.environ, **environ, "CONTAINERS_CONF": engine.environ["CONTAINERS_CONF"]},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    return run


def test_a_small_image_of_which_only_the_changed_is_made_again(engine, image, tag, tmp_path):
    source = tmp_path / "My Model"
    source.mkdir()
    notebook = json.loads(KMEANS.read_text())
    (source / "model.ipynb").write_text(json.dumps(notebook))
    (source / ".env").write_text("PASSWORD=hunter2")
    (source / ".s2i/action_hooks").mkdir(parents=True)
    (source / ".s2i/action_hooks/pre_run").write_text("export HOOKED=yes\n")
    (source / ".s2i/environment").write_text('S2I_APP_METRICS_PREFIX="points"\nGREETING=a $b\n')
    base = engine.base()
    first = image(source, tag, "--base", base)
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[-1] == tag
    assert "left out as secrets: .env" in first.stderr
    with engine.container(tag, *READ_ONLY) as running:
        status, prediction = running.predict([0.3, 0.7])
        assert (status, prediction in range(7)) == (200, True)
        assert "points_predictions_total" in running.ask("GET", "/metrics")[1]
        assert json.loads(running.ask("GET", "/model")[1])["name"] == "my-model"
        environ = ("podman", "exec", running.id, "cat", "/proc/1/environ")
        assert "HOOKED=yes" in engine.run(*environ).stdout.split("\0")
        greeting = engine.run("podman", "exec", running.id, "printenv", "GREETING")
        assert greeting.stdout == "a $b\n"
        assert engine.not_the_groups(tag) == ""
        for program in ("uv", "pip", "jupyter", "gcc", "git"):
            found = engine.run("podman", "exec", running.id, "which", program, check=False)
            assert found.returncode != 0, program
        assert running.stop()[0] == 0
    notebook["cells"][-1]["source"] = "changed = True"
    (source / "model.ipynb").write_text(json.dumps(notebook))
    again = image(source, tag, "--base", base)
    assert again.returncode == 0, again.stderr
    said = again.stdout + again.stderr
    assert "executing the notebook" in said
    assert "the lock of the bundle before is kept" in said
    assert said.count("unchanged: the environment is reused") == 2
    assert "placing the serving environment" not in said
    assert image(source, tag, "--base", base).stderr.count("executing the notebook") == 0
    forced = image(source, tag, "--base", base, "--force").stderr
    assert "executing the notebook" in forced
    assert "is kept" not in forced
    engine.forget("localhost/nachlass-builder")


def test_what_a_build_is_lent_is_not_in_the_image(engine, builder, image, tag, tmp_path):
    mark, data = "key-that-only-the-build-may-see", tmp_path / "data"
    (data / "cloud").mkdir(parents=True)
    (data / "cloud/rows.csv").write_text(f"{mark}\n1\n2\n")
    (tmp_path / "database.ini").write_text(f"password = {mark}\n")
    write_notebook(
        tmp_path / "source/model.ipynb",
        """# %%
from pathlib import Path
known = Path("/tmp/injected/database.ini").read_text().partition(" = ")[2]
rows = len(Path("/data/cloud/rows.csv").read_text().splitlines()[1:])
# %%
def predictor(x):
    return rows
# %%
samples = [1]
""",
    )
    words = ("--secret", tmp_path / "database.ini", "--volume", f"{data}:/data:ro")
    done = image(tmp_path / "source", tag, "--builder", builder, *words)
    assert done.returncode == 0, done.stderr
    assert "the bundle: " in done.stdout + done.stderr
    with engine.container(tag, *READ_ONLY) as running:
        assert running.predict(1) == (200, 2)
    archive = tmp_path / "image.tar"
    engine.run("podman", "save", "-o", archive, tag)
    contents = archive.read_bytes() + (done.stdout + done.stderr).encode()
    assert b"predictor" in contents, "the layers are compressed, and were not searched"
    assert mark.encode() not in contents


def test_a_builder_that_is_there_is_used(engine, builder, image, tag, tmp_path):
    cells = "# %%\ndef predictor(x):\n    return [x]\nsamples = [1]\n"
    write_notebook(tmp_path / "source/model.ipynb", cells)
    done = image(tmp_path / "source", tag, "--builder", builder)
    assert done.returncode == 0, done.stderr
    assert "making the builder image" not in done.stderr
    with engine.container(tag, *READ_ONLY) as running:
        assert running.predict(5) == (200, [5])


def test_the_largest_example_is_built_too(engine, builder, image, tag):
    done = image(PROJECT / "examples/housing", tag, "--builder", builder)
    assert done.returncode == 0, done.stderr
    with engine.container(tag, *READ_ONLY) as running:
        check_example(running, "housing")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--builder", "localhost/no-such-builder"], "there is no image localhost/no-such-builder"),
        (["--secret", "/no/such/file"], "--secret /no/such/file: there is no such file"),
    ],
)
def test_what_is_not_there_is_told_before_anything_is_built(image, tag, tmp_path, words, said):
    write_notebook(tmp_path / "source/model.ipynb", "# %%\ndef predictor(x):\n    return x\n")
    refused = image(tmp_path / "source", tag, *words)
    assert refused.returncode == 12
    assert said in refused.stderr


def test_a_notebook_that_fails_makes_no_image(engine, builder, image, tag, tmp_path):
    cells = "# %%\nx = 1\n# %%\n1 / 0\ndef predictor(x):\n    return x\n"
    write_notebook(tmp_path / "source/model.ipynb", cells)
    failed = image(tmp_path / "source", tag, "--builder", builder)
    assert failed.returncode == 12
    assert "model.ipynb, cell 2" in failed.stdout + failed.stderr
    assert not engine.has(tag)


def test_without_an_engine_it_says_what_else_there_is(nachlass, tmp_path):
    write_notebook(tmp_path / "source/model.ipynb", "# %%\ndef predictor(x):\n    return x\n")
    path = str(NACHLASS.parent)
    refused = nachlass("image", tmp_path / "source", "-t", "x", environment={"PATH": path})
    assert refused.returncode == 12
    assert "there is neither podman nor buildah nor docker" in refused.stderr
