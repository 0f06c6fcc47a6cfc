"""The command for tests, installed as for users, without the tests' packages."""

import json
import os
import select
import signal
import subprocess
from pathlib import Path

from support.project import PROJECT

NACHLASS = PROJECT / ".venv/bin/nachlass"
PYTHON = NACHLASS.with_name("python")
READ_AT_STARTUP = ("LANG", "LC_", "PYTHON", "TMPDIR")
"""Variables that Python or an imported module reads before the command runs."""


def user_environment(cache):
    """Return our environment without variables that affect a build or a service."""
    steering = ("S2I_", "NACHLASS_", "GUNICORN_", "OMP_", "PORT", "WEB_CONCURRENCY")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(steering)}
    return {**kept, "S2I_CACHE_DIR": str(cache), "COLUMNS": "100"}


class Command:
    """Runs `nachlass` in a fork of a process that has imported it, or in a new process.

    Imports take most of a command's time. A new process is started if variables are set that a
    fork would ignore.
    """

    def __init__(self, folder):
        self._out, self._err, self._in = (folder / name for name in ("out", "err", "in"))
        self._server = None

    def __call__(self, *words, environ, environment=None, stdin=None, cwd=None, timeout=300):
        """Run the command with words; return its returncode, stdout and stderr."""
        variables = environment or {}
        words = list(map(str, words))
        if any(name.startswith(READ_AT_STARTUP) for name in variables):
            return subprocess.run(
                [NACHLASS, *words],
                env={**environ, **variables},
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                cwd=cwd,
                capture_output=True,
                encoding="utf-8",
                timeout=timeout,
                check=False,
            )
        self._in.write_text(stdin or "", encoding="utf-8")
        request = {
            "words": words,
            "environ": {**environ, **variables},
            "cwd": str(cwd or Path.cwd()),
            "files": list(map(str, (self._in, self._out, self._err))),
        }
        status = self._run_in_fork(json.dumps(request), timeout)
        texts = (path.read_text(encoding="utf-8") for path in (self._out, self._err))
        return subprocess.CompletedProcess(words, status, *texts)

    def _run_in_fork(self, request, timeout):
        """Run a request in a fork, and return its exit status."""
        if self._server is None:
            self._server = subprocess.Popen(
                [PYTHON, Path(__file__).with_name("forked_command.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                encoding="utf-8",
                start_new_session=True,
            )
        print(request, file=self._server.stdin, flush=True)
        if not select.select([self._server.stdout], [], [], timeout)[0]:
            self.end()
            raise subprocess.TimeoutExpired(request, timeout)
        return int(self._server.stdout.readline())

    def end(self):
        """Kill the forking process and its fork."""
        if self._server:
            os.killpg(self._server.pid, signal.SIGKILL)
            self._server.communicate()
            self._server = None
