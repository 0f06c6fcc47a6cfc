"""Two builds of one commit produce the same image, with two engines and no cache."""

import re
import shutil
import subprocess

import pytest

from nachlass_builder.foundation.progress import Progress
from nachlass_builder.image import image as images
from nachlass_builder.image.engine import Engine
from nachlass_builder.source.prepare import Request
from support.containers import needs_containers
from support.project import NOT_IN_GIT, PROJECT
from support.registry import registry
from support.repositories import commit_all

pytestmark = needs_containers

KMEANS = PROJECT / "examples/kmeans"
UPLOAD = re.compile(r'"POST /v2/\S+/blobs/uploads/')


@pytest.fixture
def clones(tmp_path):
    source = shutil.copytree(KMEANS, tmp_path / "source", ignore=NOT_IN_GIT)
    commit_all(source, "2026-03-04T05:06:07+00:00")
    folders = [tmp_path / "first/kmeans", tmp_path / "the second/kmeans"]
    for folder in folders:
        subprocess.run(["git", "clone", "-q", source, folder], check=True)
    return folders


@pytest.fixture
def without_a_cache(engine, environ, monkeypatch, tmp_path):
    """Set up the environment of a machine without previous builds."""
    for name, value in {**environ, **engine.environ}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "tmp").mkdir()
    # buildah keeps mounted caches there.
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))


@pytest.mark.needs("docker-registry", "make test-all")
def test_the_same_commit_makes_the_same_image(
    engine, builder, environ, clones, monkeypatch, tmp_path, request
):
    first, second = clones
    with registry(tmp_path, engine) as address:
        tags = [f"{address}/models/kmeans:{name}" for name in ("first", "second")]
        words = ("--builder", builder, "--push")
        made = engine.nachlass_image(first, tags[0], *words, environ=environ)
        assert made.returncode == 0, made.stderr
        log = tmp_path / "registry.log"
        before = len(UPLOAD.findall(log.read_text()))
        assert before >= 4, "layers and a configuration"

        request.getfixturevalue("without_a_cache")
        monkeypatch.setattr(images.Engine, "find", lambda: Engine("buildah"))
        again = Request(str(second), {**environ, **engine.environ}, force=True)
        name = images.build_image(
            images.ImageRequest(again, tags[1], builder=builder, push=True), Progress()
        )
        layers = [engine.inspect(tag)["RootFS"]["Layers"] for tag in tags]
        assert layers[0] == layers[1]
        assert name == made.stdout.strip()
        assert len(UPLOAD.findall(log.read_text())) == before
        engine.remove(*tags)
