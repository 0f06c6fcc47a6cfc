"""`nachlass cache`: a prune removes environments that no build or service uses."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from nachlass_builder.foundation import in_use
from support.cells import write_notebook
from support.command import NACHLASS
from support.repositories import commit_all
from support.served import Served, free_port, service_command

MODEL = "# %%\ndef predictor(x):\n    return sum(x)\n# %%\nsamples = [[1, 2], [3, 4]]"
MONTHS_AGO_S = 90 * 86400


@pytest.fixture
def own_environ(environ, own_cache):
    return {**environ, "S2I_CACHE_DIR": str(own_cache)}


@pytest.fixture
def source(tmp_path):
    write_notebook(tmp_path / "sum" / "model.ipynb", MODEL)
    return tmp_path / "sum"


@pytest.fixture
def bundle(command, own_environ, source):
    built = command("build", source, environ=own_environ)
    assert built.returncode == 0, built.stderr
    return Path(built.stdout.strip())


def forget_uses(cache):
    """Set the last use of every environment to months ago."""
    then = time.time() - MONTHS_AGO_S
    for mark in cache.glob("*/*/in-use"):
        os.utime(mark, (then, then))


def release_locks():
    """Release the locks of this process, which has looked up the environment, too."""
    while in_use._held:
        os.close(in_use._held.popitem()[1])


def environments(cache):
    return sorted(cache.glob("envs/*/env"))


def start(words, environ, log_file, port):
    kept = {k: v for k, v in environ.items() if not k.startswith(("PYTHON", "OMP_"))}
    kept |= {"S2I_LOG_FORMAT": "json", "PYTHONPATH": environ.get("PYTHONPATH", "")}
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            list(map(str, words)), env=kept, stdout=log, stderr=log, start_new_session=True
        )
    return Served(process, port, log_file)


@pytest.mark.parametrize("how", ["nachlass serve", "its own Python"])
def test_prune_keeps_the_environment_of_a_running_service(
    how, command, own_environ, own_cache, bundle, tmp_path
):
    port = free_port()
    if how == "nachlass serve":
        words = [NACHLASS, "serve", bundle, "--port", port]
    else:
        words = service_command(bundle, own_environ, "--port", port)
        release_locks()
    service = start(words, own_environ, tmp_path / "log", port)
    try:
        service.wait_until(service.is_ready, "the service is not ready")
        used = {path for path in environments(own_cache) if _serves(path, service)}
        assert len(used) == 1
        forget_uses(own_cache)
        pruned = command("cache", "prune", "--unused-for", "1d", environ=own_environ)
        assert pruned.returncode == 0, pruned.stderr
        assert re.search(r"^kept \d+ folders? in use$", pruned.stdout, re.MULTILINE)
        assert set(environments(own_cache)) == used
        assert service.predict([1, 2]) == (200, 3)
        assert service.stop(signal.SIGTERM) == 0
    finally:
        service.kill()
    forget_uses(own_cache)
    assert "removed 1 environment" in command("cache", "prune", environ=own_environ).stdout
    assert environments(own_cache) == []
    answer = command("predict", bundle, "[1, 2]", environ=own_environ)
    assert answer.stdout == "3\n", answer.stderr


@pytest.mark.parametrize("how", ["nachlass serve", "its own Python"])
def test_prune_keeps_the_bundle_of_a_running_service(
    how, command, own_environ, own_cache, source, tmp_path
):
    """That of a git URL is in the cache, too; `nachlass serve` makes a snapshot beside it."""
    commit_all(source)
    port, url = free_port(), f"file://{source}#HEAD"
    if how == "nachlass serve":
        words = [NACHLASS, "serve", url, "--port", port]
    else:
        bundle = command("build", url, environ=own_environ).stdout.strip()
        words = service_command(bundle, own_environ, "--port", port)
        release_locks()
    service = start(words, {**own_environ, "S2I_SHOW_SAMPLES": "1"}, tmp_path / "log", port)
    try:
        service.wait_until(service.is_ready, "the service is not ready")
        forget_uses(own_cache)
        pruned = command("cache", "prune", "--unused-for", "1d", environ=own_environ)
        assert "bundle" not in pruned.stdout
        assert service.request("GET", "/notebook/1")[0] == 200
        assert service.stop(signal.SIGTERM) == 0
    finally:
        service.kill()


def _serves(environment, service):
    return str(environment) in Path(f"/proc/{service.pid}/cmdline").read_text()


def test_the_cache_size_and_a_dry_run_are_reported(command, own_environ, own_cache, bundle):
    shown = command("cache", environ=own_environ)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout == command("cache", "size", environ=own_environ).stdout
    assert shown.stdout.splitlines()[0] == str(own_cache)
    assert "uv cache prune" in shown.stdout
    size = json.loads(command("cache", "size", "--format", "json", environ=own_environ).stdout)
    kinds = {kind["name"]: kind for kind in size["kinds"]}
    assert kinds["environments"]["entries"] == len(environments(own_cache))
    assert size["bytes"] >= kinds["environments"]["bytes"] > 0
    forget_uses(own_cache)
    words = ("cache", "prune", "--dry-run")
    assert f"would remove {len(environments(own_cache))} environment" in (
        command(*words, environ=own_environ).stdout
    )
    assert environments(own_cache)
    used = command("predict", bundle, "[1, 2]", environ=own_environ)
    assert used.stdout == "3\n", used.stderr
    count = len(environments(own_cache))
    pruned = json.loads(command("cache", "prune", "--format", "json", environ=own_environ).stdout)
    assert pruned["removed"]["environment"] == count - 1
    assert len(environments(own_cache)) == 1, "the environment used last stays"


def test_a_duration_needs_a_unit(command, environ):
    rejected = command("cache", "prune", "--unused-for", "30", environ=environ)
    assert rejected.returncode == 2
    assert "'30' is not a duration such as 30d, 12h or 0" in rejected.stderr
