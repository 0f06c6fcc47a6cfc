"""Runs other programs with a shared deadline."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from nachlass_builder.foundation.errors import TimeLimitError


@dataclass(frozen=True)
class Deadline:
    """The time by which a build must end; None means no limit."""

    limit_s: float | None = None
    at: float | None = None

    @classmethod
    def after(cls, limit_s: float | None) -> Deadline:
        """Return a deadline `limit_s` seconds from now."""
        return cls(limit_s, None if limit_s is None else time.monotonic() + limit_s)

    def remaining_s(self) -> float | None:
        """Return the seconds left, never negative; None without a limit."""
        return None if self.at is None else max(0.0, self.at - time.monotonic())

    def exceeded(self, doing: str) -> TimeLimitError:
        """Return the error to raise when the deadline passes while `doing` something."""
        return TimeLimitError(
            f"the build exceeded S2I_BUILD_TIMEOUT ({self.limit_s:g} s) while {doing}",
            remedy="raise S2I_BUILD_TIMEOUT, or make this step faster",
        )


@dataclass(frozen=True)
class Completed:
    """A finished program: its exit status and both output streams, decoded as UTF-8.

    `stdout` may hold file names that are not UTF-8, decoded with surrogateescape.
    """

    status: int
    stdout: str
    stderr: str


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    doing: str,
    deadline: Deadline,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> Completed:
    """Run a program and return its exit status and output.

    The program has no terminal and runs in a separate process group, which is
    killed at the end: neither a timeout (TimeLimitError) nor success leaves
    children running. The output goes to files, not pipes, because a surviving
    child would keep a pipe open.
    """
    with (
        TemporaryFile() as stdin_file,
        TemporaryFile() as stdout_file,
        TemporaryFile() as stderr_file,
    ):
        stdin_file.write((stdin or "").encode("utf-8", "surrogateescape"))
        stdin_file.seek(0)
        process = subprocess.Popen(
            [os.fspath(word) for word in command],
            cwd=cwd,
            env=None if environment is None else dict(environment),
            stdin=stdin_file,
            stdout=stdout_file,
            stderr=stderr_file,
            start_new_session=True,
        )
        try:
            status = process.wait(deadline.remaining_s())
        except subprocess.TimeoutExpired:
            raise deadline.exceeded(doing) from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return Completed(
            status, _text(stdout_file, "surrogateescape"), _text(stderr_file, "replace")
        )


def _text(file: IO[bytes], errors: str) -> str:
    """Return the content of a file that a program has written."""
    file.seek(0)
    return file.read().decode("utf-8", errors)
