"""The limits of the kernel's file observer, without a kernel."""

import os
from pathlib import Path

import pytest

from nachlass_builder.execution.kernel_process import IN_KERNEL


@pytest.fixture
def reads(monkeypatch):
    monkeypatch.syspath_prepend(str(IN_KERNEL))
    from nachlass_kernel import reads

    return reads


@pytest.fixture
def observer(reads, tmp_path):
    """Return an observer in a cell, with events only from the test."""
    from nachlass_kernel.access_times import AccessTimes

    found = reads._Observer(AccessTimes(str(tmp_path / "nowhere")))
    found.left_out = ("/proc/",)
    found.began_ns = 2**63
    found.begin_cell()
    return found


def test_files_over_the_limits_have_no_digest(reads, observer, tmp_path, monkeypatch):
    monkeypatch.setattr(reads, "MAX_FILE_BYTES", 10)
    monkeypatch.setattr(reads, "MAX_TOTAL_BYTES", 15)
    for name, size in (("a", 10), ("b", 11), ("c", 6), ("d", 5)):
        (tmp_path / name).write_bytes(b"x" * size)
        observer.handle_event("open", (str(tmp_path / name), "r", os.O_RDONLY))
    files = {file["path"][-1]: file for file in observer.report()["files"]}
    assert [name for name, file in files.items() if file["sha256"]] == ["a", "d"]
    assert files["b"]["reason"] == files["c"]["reason"].replace("6", "11")
    assert files["b"]["reason"] == (
        "it is too large to digest: 11 bytes (limit 10 bytes per file, 15 in total)"
    )


FONTS = "matplotlib/fontlist-v3.json"


@pytest.mark.parametrize("name", [0, "/proc/self/stat", "x.py", "nowhere.csv", ".", b"pipe", FONTS])
def test_files_that_are_not_data_are_ignored(observer, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("matplotlib").mkdir()
    Path(FONTS).write_text("{}")
    os.mkfifo("pipe")
    (tmp_path / "x.py").write_text("1")
    observer.handle_event("open", (name, "r", os.O_RDONLY))
    assert observer.report() == {"files": [], "more": 0, "written": [], "problems": []}


def test_nothing_is_recorded_between_cells_and_in_forks(observer, tmp_path):
    (tmp_path / "a").write_text("a")
    opened = ("open", (str(tmp_path / "a"), "r", os.O_RDONLY))
    observer.begin_cell()  # a nested cell
    observer.end_cell()
    observer.end_cell()
    observer.handle_event(*opened)
    assert not observer.reads
    observer.begin_cell()
    observer.pid += 1
    observer.handle_event(*opened)
    assert not observer.reads
    observer.pid -= 1
    observer.handle_event(*opened)
    assert observer.reads


def test_a_fifo_in_place_of_a_file_does_not_block(reads, tmp_path):
    os.mkfifo(tmp_path / "a")
    with pytest.raises(OSError, match="no longer a file"):
        reads._digest(str(tmp_path / "a"))


def test_problems_are_limited_and_not_raised(observer):
    for _ in range(20):
        observer.handle_event("open", ("a\0b", "r", os.O_RDONLY))
        observer.handle_event("os.rename", ())
    assert len(observer.report()["problems"]) == 5
