"""The command that tests start: as users install it, with nothing of the tests beside it."""

import json
import subprocess
from contextlib import contextmanager
from pathlib import Path

TESTS = Path(__file__).parent
NACHLASS = TESTS.parent / ".venv/bin/nachlass"
PYTHON = NACHLASS.with_name("python")


@contextmanager
def running_forks(folder):
    """Run commands in forks of one process: a function of their words and their environment."""
    command = [PYTHON, TESTS / "forked_command.py"]
    out, err = folder / "out", folder / "err"
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:

        def run(*words, environ):
            request = {"words": list(map(str, words)), "environ": environ}
            json.dump({**request, "out": str(out), "err": str(err)}, process.stdin)
            print(file=process.stdin, flush=True)
            status = int(process.stdout.readline())
            texts = (path.read_text(encoding="utf-8") for path in (out, err))
            return subprocess.CompletedProcess(words, status, *texts)

        yield run
