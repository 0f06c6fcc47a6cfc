import os
import subprocess
import sys
from pathlib import Path

import pytest

from nachlass_builder.foundation import in_use
from nachlass_builder.foundation.in_use import (
    MARK,
    exclusive,
    hold,
    hold_across_exec,
    is_in_use,
    last_used,
    shared,
    touch,
)

HOLDS = """
import os, sys
from pathlib import Path
from nachlass_builder.foundation.in_use import hold, hold_across_exec
folder = Path(sys.argv[1])
hold(folder)
hold_across_exec(folder)
os.execv("/bin/sh", ["sh", "-c", "echo ready; read line"])
"""


@pytest.fixture(autouse=True)
def held():
    """Release the folders that a test holds."""
    yield
    while in_use._held:
        os.close(in_use._held.popitem()[1])


def age(path, days):
    then = path.stat().st_mtime - days * 86400
    os.utime(path, (then, then))


def test_a_held_folder_is_in_use(tmp_path):
    assert not is_in_use(tmp_path)
    assert not list(tmp_path.iterdir()), "checking creates no files"
    hold(tmp_path)
    hold(tmp_path)
    assert is_in_use(tmp_path)
    with exclusive(tmp_path) as is_unused:
        assert not is_unused


def test_two_processes_can_share_a_folder(tmp_path):
    with shared(tmp_path), shared(tmp_path):
        assert is_in_use(tmp_path)
    assert not is_in_use(tmp_path)


def test_holding_a_folder_counts_as_use(tmp_path):
    (tmp_path / MARK).touch()
    age(tmp_path / MARK, 40)
    before = last_used(tmp_path)
    hold(tmp_path)
    assert last_used(tmp_path) - before > 39 * 86400


def test_checking_a_folder_does_not_count_as_use(tmp_path):
    age(tmp_path, 40)
    before = last_used(tmp_path)
    with exclusive(tmp_path) as is_unused:
        assert is_unused
    assert abs(last_used(tmp_path) - before) < 1


def test_a_folder_that_cannot_be_written_is_still_usable(tmp_path):
    hold(tmp_path / "absent")
    hold_across_exec(tmp_path / "absent")
    touch(tmp_path / "absent")
    assert not is_in_use(tmp_path / "absent")


@pytest.mark.starts_programs
def test_the_lock_outlives_exec_and_ends_with_the_process(tmp_path):
    builder = str(Path(in_use.__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, tmp_path],
        env={**os.environ, "PYTHONPATH": builder},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout.readline() == b"ready\n"
        assert is_in_use(tmp_path)
        process.kill()
        process.wait()
    assert not is_in_use(tmp_path)
