"""podman, buildah and docker: the commands that are run and the parsing of their output."""

import json
import os

import pytest

from nachlass_builder.foundation.errors import ImageError
from nachlass_builder.image.engine import PROGRAMS, Engine

pytestmark = pytest.mark.starts_programs

DIGEST = "sha256:" + 64 * "1"
ANSWERS = """\
echo "$@" >> asked
case "$*" in
*gone*) exit 125 ;;
*RepoDigests*) cat digests ;;
*FromImageDigest*) cat digest ;;
push*--digestfile*) printf %s "$PUSHED" > "$3" ;;
esac
"""


@pytest.fixture(params=PROGRAMS)
def engine(request, tmp_path, monkeypatch):
    """Return an engine that prints the text a test writes into its folder."""
    program = tmp_path / request.param
    program.write_text(f"#!/bin/sh\ncd '{tmp_path}'\n{ANSWERS}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PUSHED", DIGEST)
    (tmp_path / "digest").write_text(f"{DIGEST}\n")
    (tmp_path / "digests").write_text(json.dumps([f"registry:5000/base@{DIGEST}"]))
    made = Engine(request.param)
    monkeypatch.setattr(Engine, "folder", tmp_path, raising=False)
    return made


def test_the_digest_of_an_image_from_a_registry(engine):
    assert engine.digest("registry:5000/base") == DIGEST


@pytest.mark.parametrize("digests", ["[]", "null", ""])
def test_an_image_without_a_digest_has_none(engine, digests):
    (engine.folder / "digests").write_text(digests)
    (engine.folder / "digest").write_text("")
    assert engine.digest("registry:5000/base") is None


def test_the_digest_of_another_registry_is_ignored(engine):
    if engine.program != "buildah":  # buildah gives a digest without its registry
        assert engine.digest("elsewhere/base") is None


def test_docker_without_a_pushed_digest_is_an_error(engine):
    if engine.program == "docker":
        with pytest.raises(ImageError, match="does not report its digest"):
            engine.push("elsewhere/base")


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("registry:5000/models/iris:1.0", "registry:5000/models/iris"),
        ("registry:5000/iris", "registry:5000/iris"),
        ("me/iris:latest", "me/iris"),
    ],
)
def test_a_pushed_image_is_named_by_its_digest(engine, tag, name):
    known = [f"elsewhere/iris@sha256:{64 * '2'}", f"{name}@{DIGEST}"]
    (engine.folder / "digests").write_text(json.dumps(known))
    assert engine.push(tag) == f"{name}@{DIGEST}"
    assert f"{tag}\n" in (engine.folder / "asked").read_text()


@pytest.mark.parametrize("timeless", [True, False])
def test_a_timeless_image_has_a_fixed_time_if_the_engine_supports_it(engine, timeless):
    engine.build("tag", engine.folder, engine.folder / "file", secrets={}, timeless=timeless)
    commands = (engine.folder / "asked").read_text()
    assert ("--timestamp 315532800" in commands) == (timeless and engine.program != "docker")


def test_a_failed_pull_and_a_failed_push_are_errors(engine):
    with pytest.raises(ImageError, match="gone was not pulled"):
        engine.pull("gone")
    with pytest.raises(ImageError, match="gone was not pushed"):
        engine.push("gone")


def test_labels_and_arguments_are_passed_to_the_engine(engine, tmp_path):
    engine.build(
        "iris", tmp_path, tmp_path / "Dockerfile", labels={"a": "b c"}, arguments={"X": "1"},
        secrets={},
    )  # fmt: skip
    commands = (engine.folder / "asked").read_text()
    assert "--label a=b c" in commands
    assert "--build-arg X=1" in commands
