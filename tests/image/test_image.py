"""`nachlass image`: the small image, and rebuilds that reuse unchanged parts."""

import json
import re
from unittest.mock import ANY

import pytest

from support.cells import write_notebook
from support.command import NACHLASS
from support.containers import SMALL, needs_containers
from support.planted import FILES, plant
from support.registry import registry
from support.repositories import commit_all

pytestmark = needs_containers

READ_ONLY = ("--user", "12345:0", "--read-only", "--tmpfs", "/tmp")
MARK = "key-that-only-the-build-may-see"
PRE_RUN = """\
export HOOKED=yes
mkdir -p /tmp/cache
echo "${API_TOKEN-}" > /tmp/cache/token
echo "${API_TOKEN-}" > "${HOME}/token"
"""
MOUNTED = """\
# %%
from pathlib import Path
known = Path("/tmp/injected/database.ini").read_text().partition(" = ")[2]
rows = len(Path("/data/cloud/rows.csv").read_text().splitlines()[1:])
# %%
import os
assert rows == 2
assert all(name in os.environ for name in ("API_TOKEN", "DATABASE", "SETTING"))
"""


@pytest.fixture
def image(engine, environ):
    def run(source, tag, *words):
        return engine.nachlass_image(source, tag, *words, environ=environ)

    return run


def test_a_rebuilt_image_reuses_unchanged_environments(
    engine, project_images, image, tag, tmp_path
):
    """Files mounted during the build are in no layer."""
    builder, runtime = project_images
    source, data = tmp_path / "My Model", tmp_path / "data"
    write_notebook(source / "model.ipynb", f"{SMALL}{MOUNTED}")
    parameters, marks = plant(source)
    (source / ".s2i/action_hooks").mkdir(parents=True)
    (source / ".s2i/action_hooks/pre_run").write_text(PRE_RUN)
    (source / ".s2i/environment").write_text('S2I_APP_METRICS_PREFIX="points"\nGREETING=a $b\n')
    (data / "cloud").mkdir(parents=True)
    (data / "cloud/rows.csv").write_text(f"{MARK}\n1\n2\n")
    (tmp_path / "database.ini").write_text(f"password = {MARK}\n")
    words = ("--builder", builder, "--secret", tmp_path / "database.ini")
    words += ("--volume", f"{data}:/data:ro")
    words += tuple(w for name, value in parameters.items() for w in ("-e", f"{name}={value}"))

    first = image(source, tag, *words)
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[-1] == tag
    assert "building the builder image" not in first.stderr
    for name in FILES:
        assert f"{name} (" in first.stderr
    assert "during the build, and in no image: API_TOKEN, DATABASE, SETTING;" in first.stderr
    assert engine.contains(tag, runtime, "predictor"), "nothing is found"
    for secret in (MARK, *marks):
        assert secret not in first.stdout + first.stderr
        assert not engine.contains(tag, runtime, secret)
    with engine.container(tag, *READ_ONLY) as running:
        assert running.predict("HOOKED") == (200, "yes")
        assert running.predict("GREETING") == (200, "a $b")
        assert "points_processing_seconds_count 2.0" in running.request("GET", "/metrics")[1]
        assert json.loads(running.request("GET", "/model")[1])["name"] == "my-model"
        assert engine.files_with_wrong_mode(tag) == engine.files_of_other_owners(tag) == ""
        for program in ("uv", "pip", "jupyter", "gcc", "git"):
            found = engine.run("podman", "exec", running.id, "which", program, check=False)
            assert found.returncode != 0, program
        assert running.stop()[0] == 0

    write_notebook(source / "model.ipynb", f"{SMALL}{MOUNTED}# %%\nchanged = True\n")
    again = image(source, tag, *words)
    assert again.returncode == 0, again.stderr
    output = again.stdout + again.stderr
    assert "executing the notebook" in output
    assert "the previous bundle's lock is kept" in output
    assert output.count("unchanged: the environment is reused") == 2
    assert "placing the serving environment" not in output
    assert image(source, tag, *words).stderr.count("executing the notebook") == 0
    changed = [*words, "-e", f"API_TOKEN={marks[0]}-changed"]
    assert image(source, tag, *changed).stderr.count("executing the notebook") > 0
    forced = image(source, tag, *words, "--force").stderr
    assert "executing the notebook" in forced
    assert "is kept" not in forced


@pytest.mark.needs("docker-registry", "make test-all")
def test_an_image_of_a_commit_is_pushed_and_pulled_by_digest(engine, builder, image, tmp_path):
    """Its labels are the model's; its base comes from a registry by digest.

    A previous image has the same base under another name.
    """
    source = tmp_path / "My Model"
    write_notebook(source / "model.ipynb", SMALL)
    (source / "pyproject.toml").write_text('[project]\nname = "x"\nlicense = "MIT"\n')
    commit = commit_all(source, "2026-03-04T05:06:07+00:00")
    with registry(tmp_path, engine) as address:
        base = f"{address}/debian"
        digest_file = tmp_path / "digest"
        engine.run("podman", "push", "--digestfile", digest_file, engine.base(), base)
        digest = digest_file.read_text()
        tag = f"{address}/models/small:1"
        before = image(source, tag, "--builder", builder, "--base", engine.base())
        assert before.returncode == 0, before.stderr
        words = ("--builder", builder, "--base", f"{base}@{digest}", "--push")
        made = image(source, tag, *words)
        assert made.returncode == 0, made.stderr
        pushed = made.stdout.strip()
        assert re.fullmatch(rf"{address}/models/small@sha256:[0-9a-f]{{64}}", pushed)
        assert engine.inspect(tag)["Config"]["Labels"] == {
            "io.buildah.version": ANY,
            "io.k8s.description": "Serves a model that was built from a Jupyter notebook",
            "io.k8s.display-name": "my-model",
            "io.openshift.expose-services": "8080:http",
            "org.opencontainers.image.base.digest": digest,
            "org.opencontainers.image.base.name": base,
            "org.opencontainers.image.created": "2026-03-04T05:06:07+00:00",
            "org.opencontainers.image.licenses": "MIT",
            "org.opencontainers.image.revision": commit,
            "org.opencontainers.image.title": "my-model",
            "org.opencontainers.image.version": commit[:7],
        }
        engine.remove(tag)
        engine.run("podman", "pull", pushed)
        with engine.container(pushed, *READ_ONLY) as running:
            assert running.predict("LANG") == (200, "C.UTF-8")
        engine.remove(pushed, base)


def test_no_image_is_built_if_predictions_differ_in_it(engine, builder, image, tag, tmp_path):
    cells = "# %%\nimport shutil\ndef predictor(x):\n    return bool(shutil.which(x))\n"
    cells += 'samples = ["git"]\n'
    write_notebook(tmp_path / "source/model.ipynb", cells)
    failed = image(tmp_path / "source", tag, "--builder", builder)
    assert failed.returncode == 12
    output = failed.stdout + failed.stderr
    assert "sample 0: the notebook predicted true, the pickled model false" in output
    assert not engine.has(tag)


def test_an_invalid_name_is_rejected_before_anything_is_built(image, tmp_path):
    for name in ("Kmeans", "two words", "models/kmeans:", "models//kmeans"):
        rejected = image(tmp_path, name)
        assert rejected.returncode == 2
        assert f"'{name}' is not an image name such as models/kmeans:1.0" in rejected.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--builder", "localhost/no-such-builder"], "there is no image localhost/no-such-builder"),
        (["--secret", "/no/such/file"], "--secret /no/such/file: there is no such file"),
    ],
)
def test_a_missing_builder_or_file_is_reported_before_anything_is_built(
    image, tag, tmp_path, words, message
):
    write_notebook(tmp_path / "source/model.ipynb", "# %%\ndef predictor(x):\n    return x\n")
    rejected = image(tmp_path / "source", tag, *words)
    assert rejected.returncode == 12
    assert message in rejected.stderr


def test_a_failing_notebook_leaves_no_image(engine, builder, image, tag, tmp_path):
    cells = "# %%\nx = 1\n# %%\n1 / 0\ndef predictor(x):\n    return x\n"
    write_notebook(tmp_path / "source/model.ipynb", cells)
    failed = image(tmp_path / "source", tag, "--builder", builder)
    assert failed.returncode == 12
    assert "model.ipynb, cell 2" in failed.stdout + failed.stderr
    assert not engine.has(tag)


def test_a_missing_engine_is_reported(nachlass, tmp_path):
    write_notebook(tmp_path / "source/model.ipynb", "# %%\ndef predictor(x):\n    return x\n")
    path = str(NACHLASS.parent)
    rejected = nachlass("image", tmp_path / "source", "-t", "x", environment={"PATH": path})
    assert rejected.returncode == 12
    assert "none of podman, buildah and docker is installed" in rejected.stderr
