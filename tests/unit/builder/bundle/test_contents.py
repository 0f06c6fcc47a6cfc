"""The digest of a bundle: the facts it depends on, and those it does not."""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, fields, replace

import pytest

from nachlass_builder.bundle.contents import contents, digest_of_bundle
from nachlass_builder.bundle.manifest import MANIFEST, Manifest, decode, write_manifest
from support.manifest import example

MADE = decode(example())


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "bundle"
    (path / "src/data").mkdir(parents=True)
    (path / "model.pickle").write_bytes(b"pickle")
    (path / "src/model.ipynb").write_text("{}")
    (path / "src/data/a.csv").write_text("a\n")
    (path / "src/link").symlink_to("data/a.csv")
    return path


def test_the_contents_are_the_files_by_their_paths(bundle):
    (bundle / MANIFEST).write_text("{}")
    os.mkfifo(bundle / "src/fifo")
    (bundle / "src/empty").mkdir()
    (bundle / "src/run.sh").write_text("#!/bin/sh\n")
    (bundle / "src/run.sh").chmod(0o755)
    (bundle / os.fsdecode(b"src/\xff")).write_text("")
    found = contents(bundle)
    assert found == {
        "model.pickle": sha256(b"pickle"),
        "src/\\xff": sha256(b""),
        "src/data/a.csv": sha256(b"a\n"),
        "src/link": f"link {sha256(b'data/a.csv')}",
        "src/model.ipynb": sha256(b"{}"),
        "src/run.sh": "program " + sha256(b"#!/bin/sh\n"),
    }
    assert [*found] == sorted(found)


def test_links_are_not_followed(bundle, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a").write_text("a")
    (bundle / "src/folder").symlink_to(tmp_path / "outside")
    before = contents(bundle)
    assert before["src/folder"] == f"link {sha256(os.fsencode(tmp_path / 'outside'))}"
    (tmp_path / "outside/b").write_text("b")
    assert contents(bundle) == before


def test_a_digest_is_computed_from_the_files_alone(bundle):
    manifest = replace(MADE, name="\udcff ä", digest=digest_of_bundle(bundle, MADE))
    manifest = replace(manifest, digest=digest_of_bundle(bundle, manifest))
    write_manifest(bundle, manifest)
    document = json.loads((bundle / MANIFEST).read_text())
    written = document.pop("digest")
    facts = {"files": contents(bundle), "manifest": document}
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    assert written == sha256(text.encode("ascii"))


def change_bytes(bundle):
    (bundle / "src/data/a.csv").write_text("b\n")


def change_pickle(bundle):
    (bundle / "model.pickle").write_bytes(b"Pickle")


def change_name(bundle):
    (bundle / "src/data/a.csv").rename(bundle / "src/data/b.csv")


def change_folder(bundle):
    (bundle / "src/data").rename(bundle / "src/other")


def swap_names(bundle):
    (bundle / "src/model.ipynb").rename(bundle / "kept")
    (bundle / "src/data/a.csv").rename(bundle / "src/model.ipynb")
    (bundle / "kept").rename(bundle / "src/data/a.csv")


def add_file(bundle):
    (bundle / "src/empty").touch()


def remove_file(bundle):
    (bundle / "src/data/a.csv").unlink()


def change_target(bundle):
    (bundle / "src/link").unlink()
    (bundle / "src/link").symlink_to("./data/a.csv")


def write_target_into_file(bundle):
    (bundle / "src/link").unlink()
    (bundle / "src/link").write_text("data/a.csv")


CHANGES = (
    change_bytes,
    change_pickle,
    change_name,
    change_folder,
    swap_names,
    add_file,
    remove_file,
    change_target,
    write_target_into_file,
)


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_a_file_changes_the_digest(bundle, change):
    before = digest_of_bundle(bundle, MADE)
    change(bundle)
    assert digest_of_bundle(bundle, MADE) != before


@pytest.mark.parametrize(
    "name", [field.name for field in fields(Manifest) if field.name != "digest"]
)
def test_every_field_of_the_manifest_changes_the_digest(bundle, name):
    other = replace(MADE, **{name: "other"})
    assert digest_of_bundle(bundle, other) != digest_of_bundle(bundle, MADE)


def test_location_and_time_do_not_change_the_digest(bundle, tmp_path):
    before = digest_of_bundle(bundle, MADE)
    copied = shutil.copytree(bundle, tmp_path / "elsewhere/copy", symlinks=True)
    for path in copied.rglob("*"):
        os.utime(path, (0, 0), follow_symlinks=False)
    (copied / "src/data/a.csv").chmod(0o600)
    write_manifest(copied, MADE)
    assert digest_of_bundle(copied, MADE) == before


def test_a_digest_does_not_depend_on_the_previous_one(bundle):
    proven = decode({**asdict(MADE), "digest": "0" * 64})
    assert digest_of_bundle(bundle, proven) == digest_of_bundle(bundle, MADE)


@pytest.mark.parametrize("digest", ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, None])
def test_an_invalid_digest_is_rejected(digest):
    with pytest.raises(ValueError, match="digest"):
        decode(example(digest=digest))
