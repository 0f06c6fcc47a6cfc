"""The only door to other programs, and the clock they all share."""

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
    """The moment a build must have ended; None means it may take as long as it needs."""

    limit_s: float | None = None
    at: float | None = None

    @classmethod
    def after(cls, limit_s: float | None) -> Deadline:
        """A deadline `limit_s` seconds from now."""
        return cls(limit_s, None if limit_s is None else time.monotonic() + limit_s)

    def remaining_s(self) -> float | None:
        """Seconds left, never negative; None without a limit."""
        return None if self.at is None else max(0.0, self.at - time.monotonic())

    def exceeded(self, doing: str) -> TimeLimitError:
        """The failure to raise when the deadline passes while `doing` something."""
        return TimeLimitError(
            f"the build exceeded S2I_BUILD_TIMEOUT ({self.limit_s:g} s) while {doing}",
            remedy="raise S2I_BUILD_TIMEOUT, or make this step faster",
        )


@dataclass(frozen=True)
class Completed:
    """What a program left behind: its exit status and both streams, decoded as UTF-8.

    `stdout` may hold names of files that are not UTF-8, as Python holds them.
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
    """Run a program to its end and return what it said.

    It gets no terminal, and a process group of its own, which ends with it:
    neither a deadline (TimeLimitError) nor success leaves children behind.
    Files rather than pipes take its output, because a child that lives on
    would keep a pipe open.
    """
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as said:
        given.write((stdin or "").encode("utf-8", "surrogateescape"))
        given.seek(0)
        process = subprocess.Popen(
            [os.fspath(word) for word in command],
            cwd=cwd,
            env=None if environment is None else dict(environment),
            stdin=given,
            stdout=out,
            stderr=said,
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
        return Completed(status, _text(out, "surrogateescape"), _text(said, "replace"))


def _text(file: IO[bytes], errors: str) -> str:
    """The content of a file that a program has written."""
    file.seek(0)
    return file.read().decode("utf-8", errors)
