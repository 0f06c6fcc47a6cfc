"""What gunicorn's worker does otherwise with us."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from gunicorn.config import Config

from nachlass_service.hosting.server import ThreadWorker


def test_a_worker_ends_at_once_while_it_hands_over_a_connection():
    with ThreadPoolExecutor(1) as pool:
        worker = ThreadWorker.__new__(ThreadWorker)
        worker.cfg, worker.tpool, worker.alive = Config(), pool, True
        # The handler runs in the thread that was in the middle of `submit`.
        with pool._shutdown_lock, pytest.raises(SystemExit) as ended:
            worker.handle_quit(3, None)
    assert ended.value.code == 0
    assert not worker.alive


def test_without_httptools_gunicorns_threads_serve():
    code = """
import sys
sys.modules["httptools"] = None
from nachlass_service.hosting import server
print(server._fastest_worker().__name__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("ThreadWorker\n", 0), done.stderr
