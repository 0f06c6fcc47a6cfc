"""What a build says of an equal one before it."""

from dataclasses import replace

import pytest

from nachlass_builder.assemble.built_before import BUILT, compare_with_before
from nachlass_builder.bundle.manifest import decode
from support.manifest import example

MADE = decode(example())
FILES = {"model.pickle": "1", "notebook.html": "2", "src/model.ipynb": "3"}
OTHER = replace(MADE, digest="0" * 64)


def test_the_first_build_has_nothing_to_compare_with(tmp_path):
    assert compare_with_before(MADE, FILES, tmp_path) is None


def test_an_equal_build_made_the_same(tmp_path):
    compare_with_before(MADE, FILES, tmp_path)
    assert "the same as an equal build" in compare_with_before(MADE, FILES, tmp_path)
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
    compare_with_before(MADE, FILES, tmp_path)
    said = compare_with_before(OTHER, files, tmp_path)
    assert said.startswith(f"{named} is not what an equal build has made before")
    assert "the same as" in compare_with_before(OTHER, files, tmp_path)


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
def test_builds_of_something_else_are_not_compared(tmp_path, changes):
    compare_with_before(MADE, FILES, tmp_path)
    assert compare_with_before(replace(OTHER, **changes), FILES, tmp_path) is None


def test_where_the_source_was_cloned_from_does_not_matter(tmp_path):
    compare_with_before(MADE, FILES, tmp_path)
    elsewhere = replace(MADE, source=replace(MADE.source, origin=None))
    assert compare_with_before(elsewhere, FILES, tmp_path)


@pytest.mark.parametrize("text", ["", "[1", "null", "7", '"text"'])
def test_a_damaged_memory_is_none(tmp_path, text):
    compare_with_before(MADE, FILES, tmp_path)
    (file,) = (tmp_path / BUILT).iterdir()
    file.write_text(text)
    assert compare_with_before(MADE, FILES, tmp_path) is None
    assert "the same as" in compare_with_before(MADE, FILES, tmp_path)
