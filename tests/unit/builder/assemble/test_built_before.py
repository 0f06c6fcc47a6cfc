"""A build says whether it produced the same files as an earlier equal build."""

from dataclasses import replace
from pathlib import Path

import pytest

from nachlass_builder.assemble.built_before import BUILT, compare_with_previous
from nachlass_builder.bundle.contents import contents, digest_of_contents
from nachlass_builder.bundle.manifest import decode, write_manifest
from support.manifest import example

MADE = decode(example())
FILES = {"model.pickle": "1", "notebook.html": "2", "src/model.ipynb": "3"}
NOWHERE = Path("/nowhere")
OTHER = replace(MADE, digest="0" * 64)


def test_the_first_build_has_nothing_to_compare_with(tmp_path):
    assert compare_with_previous(MADE, FILES, NOWHERE, tmp_path) is None


def test_an_equal_build_is_reported_as_identical(tmp_path):
    compare_with_previous(MADE, FILES, NOWHERE, tmp_path)
    assert "identical to an earlier equal build" in compare_with_previous(
        MADE, FILES, NOWHERE, tmp_path
    )
    assert len(list((tmp_path / BUILT).iterdir())) == 1


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({**FILES, "notebook.html": "x", "src/model.ipynb": "x"}, "notebook.html"),
        ({**FILES, "a new one": "x"}, "a new one"),
        ({name: FILES[name] for name in ("model.pickle", "notebook.html")}, "src/model.ipynb"),
        (FILES, "manifest.json"),
    ],
)
def test_the_first_file_that_differs_is_named(tmp_path, files, named):
    compare_with_previous(MADE, FILES, NOWHERE, tmp_path)
    note = compare_with_previous(OTHER, files, NOWHERE, tmp_path)
    assert note.startswith(f"{named} differs from an earlier equal build")
    assert "identical to" in compare_with_previous(OTHER, files, NOWHERE, tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "another"},
        {"version": "v2"},
        {"key": "another"},
        {"created": "2026-01-01T00:00:00+00:00"},
        {"locks": replace(MADE.locks, serving="another")},
        {"source": replace(MADE.source, commit="another")},
    ],
)
def test_builds_with_different_inputs_are_not_compared(tmp_path, changes):
    compare_with_previous(MADE, FILES, NOWHERE, tmp_path)
    assert compare_with_previous(replace(OTHER, **changes), FILES, NOWHERE, tmp_path) is None


def test_the_origin_of_the_source_does_not_matter(tmp_path):
    compare_with_previous(MADE, FILES, NOWHERE, tmp_path)
    elsewhere = replace(MADE, source=replace(MADE.source, origin=None))
    assert compare_with_previous(elsewhere, FILES, NOWHERE, tmp_path)


@pytest.mark.parametrize("text", ["", "[1", "null", "7", '"text"'])
def test_a_damaged_record_is_ignored(tmp_path, text):
    compare_with_previous(MADE, FILES, NOWHERE, tmp_path)
    (file,) = (tmp_path / BUILT).iterdir()
    file.write_text(text)
    assert compare_with_previous(MADE, FILES, NOWHERE, tmp_path) is None
    assert "identical to" in compare_with_previous(MADE, FILES, NOWHERE, tmp_path)


def test_the_replaced_bundle_is_compared_before_the_record(tmp_path):
    cache, bundle = tmp_path / "cache", tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "model.pickle").write_text("of somebody else")
    files = contents(bundle)
    manifest = replace(MADE, digest=digest_of_contents(files, MADE))
    write_manifest(bundle, manifest)
    assert "identical to" in compare_with_previous(manifest, files, bundle, cache)
    (bundle / "model.pickle").write_text("changed since")
    note = compare_with_previous(manifest, files, bundle, cache)
    assert note.startswith("model.pickle differs from an earlier equal build")
    # A manifest of a different build is not compared.
    write_manifest(bundle, replace(manifest, version="another"))
    assert "identical to" in compare_with_previous(manifest, files, bundle, cache)
