"""The errors of uv about a full disk or missing permissions."""

import pytest

from nachlass_builder.foundation.errors import StorageError
from nachlass_builder.foundation.process import Completed, Deadline
from nachlass_builder.packages import uv_program
from nachlass_builder.packages.pip_settings import IndexSettings

FAILED = """error: Failed to install: numpy-2.4.6-cp311-manylinux_2_28_x86_64.whl
  Caused by: failed to copy file from /cache/a to /cache/b: {} (os error {})
"""


@pytest.fixture
def run(monkeypatch, tmp_path):
    def run(status, stderr):
        completed = Completed(status, "", stderr)
        monkeypatch.setattr(uv_program, "run", lambda *_, **_options: completed)
        return uv_program.run_uv(
            [],
            indexes=IndexSettings(),
            deadline=Deadline(),
            doing="installing the locked packages",
            cwd=tmp_path,
        )

    return run


@pytest.mark.parametrize(
    ("why", "number", "message", "remedy"),
    [
        ("No space left on device", 28, "the disk is full", "free some space"),
        ("Disk quota exceeded", 122, "the disk is full", "free some space"),
        ("Read-only file system", 30, "a folder cannot be written", "make the folder writable"),
        ("Permission denied", 13, "a folder cannot be written", "make the folder writable"),
    ],
)
def test_disk_and_permission_errors_are_reported_as_such(run, why, number, message, remedy):
    with pytest.raises(StorageError) as caught:
        run(2, FAILED.format(why, number))
    assert caught.value.message == f"installing the locked packages: {message}"
    assert why in caught.value.details
    assert caught.value.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("status", "stderr"),
    [
        (2, FAILED.format("Connection refused", 111)),
        (2, "error: tcp connect error: Permission denied (os error 13)"),
        (0, FAILED.format("No space left on device", 28)),
        (1, "No solution found"),
    ],
)
def test_other_failures_are_left_to_the_caller(run, status, stderr):
    assert run(status, stderr).status == status
