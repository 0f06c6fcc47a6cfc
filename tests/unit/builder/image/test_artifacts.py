"""The artifacts that an s2i build leaves for the next one."""

import io
import json
import os
import tarfile

import pytest

from nachlass_builder.bundle.layout import TRAINING_LOCK
from nachlass_builder.bundle.manifest import MANIFEST
from nachlass_builder.bundle.seed import SEED, resolution_of, write_seed
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.image import artifacts
from nachlass_builder.image.artifacts import Artifacts
from nachlass_builder.slim.choose_environment import SUBSETS
from support.manifest import example

LOCK = 'lock-version = "1.0"\ncreated-by = "uv"\npackages = []\n'


def built(path):
    """Create a bundle to write a seed from."""
    path.mkdir()
    (path / TRAINING_LOCK).write_text(LOCK)
    (path / MANIFEST).write_text(json.dumps(example(locks={"resolution": "decided"})))
    return path


@pytest.fixture
def kept(tmp_path):
    """Create the artifacts that a build leaves in its image."""
    built(tmp_path / "built")
    left = Artifacts(tmp_path / "kept")
    left.uv_cache.mkdir(parents=True)
    (left.uv_cache / "cached").write_text("wheel")
    (tmp_path / "cache" / SUBSETS).mkdir(parents=True)
    (tmp_path / "cache" / SUBSETS / "lock.json").write_text("{}")
    left.keep(tmp_path / "built", tmp_path / "cache", Progress())
    return left.folder


def take_over(before, tmp_path):
    reused = Artifacts(tmp_path / "root/artifacts")
    reused.restore(before, tmp_path / "root/bundle", Progress())
    return reused


def test_artifacts_are_reused_with_their_lock(kept, tmp_path, capsys):
    reused = take_over(kept, tmp_path)
    assert (reused.uv_cache / "cached").is_file()
    assert resolution_of(tmp_path / "root/bundle") == "decided"
    assert (tmp_path / "root/bundle" / TRAINING_LOCK).read_text() == LOCK
    assert "using artifacts of the previous build" in capsys.readouterr().err


def test_the_serving_subsets_are_passed_on_to_the_next_build(kept, tmp_path):
    take_over(kept, tmp_path).remind(tmp_path / "other")
    assert (tmp_path / "other" / SUBSETS / "lock.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("damage", "output"),
    [
        (
            lambda kept: (kept / "locks" / TRAINING_LOCK).write_text("no [toml"),
            "it has no artifacts",
        ),
        (lambda kept: (kept / "locks" / SEED).write_text("{"), "it has no artifacts"),
        (lambda kept: (kept / "sizes").unlink(), "it has no artifacts"),
        (lambda kept: (kept / "uv/cached").write_text(""), "some of its files are damaged"),
        (lambda kept: (kept / "uv/cached").unlink(), "some of its files are damaged"),
    ],
)
def test_damaged_artifacts_are_ignored(kept, tmp_path, capsys, damage, output):
    damage(kept)
    reused = take_over(kept, tmp_path)
    assert not reused.uv_cache.exists()
    assert not (tmp_path / "root/bundle").exists()
    assert f"warning: ignoring {kept}: {output}" in capsys.readouterr().err


def test_the_first_build_has_no_artifacts_and_prints_nothing(tmp_path, capsys):
    assert not list(take_over(tmp_path / "absent", tmp_path).folder.iterdir())
    assert capsys.readouterr().err == ""


def test_artifacts_over_the_size_limit_are_not_kept(kept, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(artifacts, "LIMIT_BYTES", 3)
    Artifacts(kept).keep(tmp_path / "built", tmp_path / "cache", Progress())
    assert not kept.exists()
    assert "too large to keep" in capsys.readouterr().err


@pytest.fixture
def saved(kept, capfdbinary):
    """Return the names and types in the tar archive on standard output."""

    def save():
        Artifacts(kept).save()
        written, output = capfdbinary.readouterr()
        with tarfile.open(fileobj=io.BytesIO(written)) as tar:
            return {member.name: member.isfile() for member in tar}, output.decode()

    return save


def test_hard_links_are_saved_as_files(kept, saved):
    os.link(kept / "uv/cached", kept / "uv/linked")
    names, output = saved()
    assert names["./uv/cached"]
    assert names["./uv/linked"]
    assert output == ""


def test_unreadable_artifacts_give_an_empty_tar(saved, tmp_path, monkeypatch):
    broken = tmp_path / "bin/tar"
    broken.parent.mkdir()
    script = 'case "$*" in *-C*) echo half; exit 2;; *) exec /bin/tar "$@";; esac'
    broken.write_text(f"#!/bin/sh\n{script}\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
    names, output = saved()
    assert names == {}
    assert "cannot read the artifacts: not saved" in output


def test_equal_seeds_are_identical_files(tmp_path):
    bundle = built(tmp_path / "built")
    for name in ("one", "other"):
        write_seed(tmp_path / name, bundle)
    facts = [
        [(path.name, path.stat().st_mtime, path.read_bytes()) for path in sorted(folder.iterdir())]
        for folder in (tmp_path / "one", tmp_path / "other")
    ]
    assert facts[0] == facts[1]
