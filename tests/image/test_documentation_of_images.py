"""The commands of the pages on images run, in a clone."""

import shlex
import subprocess

import pytest

from support.containers import needs_containers
from support.documentation import DOCS, Reader
from support.project import PROJECT

pytestmark = needs_containers


@pytest.fixture
def reader(engine, environ, tmp_path):
    folder = tmp_path / "nachlass"
    subprocess.run(["git", "clone", "--quiet", PROJECT, folder], check=True)
    return Reader(folder, {**engine.environ, **environ}, tmp_path)


def test_a_container_image_is_built_run_and_checked(engine, builder, reader):
    reader.substitutions = {
        "nachlass image": f"nachlass image --builder {builder}",  # no registry is needed
        "-p 8080:8080": f"-e PORT={reader.ports['8080']}",  # the tests' network is the host's
    }
    try:
        reader.follow(DOCS / "how-to/images.md", {})
    finally:
        engine.run("podman", "rm", "--force", "--ignore", "kmeans")
        engine.remove("localhost/kmeans")


def test_the_builder_image_is_built_and_its_commands_work(engine, reader):
    options = ["--network=host", f"--build-arg=BASE={engine.base()}", *engine.trust]
    reader.substitutions = {"podman build": f"podman build {shlex.join(options)}"}
    try:
        reader.follow(DOCS / "how-to/s2i.md", {})
        assert "oc new-app nachlass~" in reader.log
    finally:
        engine.remove("localhost/nachlass", "localhost/nachlass-runtime")
