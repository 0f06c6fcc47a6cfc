"""The choice of the worker class."""

import subprocess
import sys

import pytest

CODE = """
import sys
if {missing}:
    sys.modules["httptools"] = None
from nachlass_service.base import log
from nachlass_service.hosting import server
log.set_up("json")
print(server.worker_class().__name__)
"""


@pytest.mark.parametrize(
    ("missing", "name", "message"),
    [(False, "AsyncWorker", ""), (True, "ThreadWorker", "httptools")],
)
def test_gunicorns_threads_are_used_without_httptools(missing, name, message):
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(missing=missing)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == (f"{name}\n", 0), done.stderr
    assert message in done.stderr
