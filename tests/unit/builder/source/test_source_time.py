"""The time of a source."""

import os
from datetime import UTC, datetime

import pytest

from nachlass_builder.foundation.process import Deadline
from nachlass_builder.source.source import locate_source
from nachlass_builder.source.source_time import source_time
from support.repositories import commit_all

COMMITTED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.ipynb").write_text("{}")
    (tmp_path / "older.csv").write_text("1")
    for name, seconds in (("model.ipynb", 1_700_000_000), ("older.csv", 1_600_000_000)):
        os.utime(tmp_path / name, (seconds, seconds))
    return tmp_path


def time_of(folder, **environ):
    source = locate_source(str(folder), None, folder / "clones", {}, Deadline())
    return source_time(source, environ, Deadline())


def test_the_time_of_the_commit_is_used(folder):
    commit_all(folder, COMMITTED.isoformat())
    assert time_of(folder, SOURCE_DATE_EPOCH="5") == COMMITTED


def test_a_modified_source_has_the_time_of_its_newest_file(folder):
    commit_all(folder, COMMITTED.isoformat())
    (folder / "model.ipynb").write_text("{ }")
    os.utime(folder / "model.ipynb", (1_750_000_000, 1_750_000_000))
    assert time_of(folder).timestamp() == 1_750_000_000
    assert time_of(folder, SOURCE_DATE_EPOCH="5").timestamp() == 5


def test_without_git_the_time_of_the_newest_file_is_used(folder):
    assert time_of(folder).timestamp() == 1_700_000_000
    for nonsense in ("soon", "-1", "9" * 30, ""):
        assert time_of(folder, SOURCE_DATE_EPOCH=nonsense).timestamp() == 1_700_000_000
    (folder / ".nachlass").mkdir()
    (folder / ".nachlass/new").write_text("no part of the source")
    assert time_of(folder).timestamp() == 1_700_000_000
