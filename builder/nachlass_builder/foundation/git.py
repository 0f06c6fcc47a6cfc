"""Asks git, which never asks back."""

from __future__ import annotations

import os
from pathlib import Path

from nachlass_builder.foundation.process import Completed, Deadline, run


def git(words: list[str], cwd: Path, deadline: Deadline) -> Completed:
    """Run git without questions; its status tells what it found."""
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    if "GIT_SSH_COMMAND" not in environment:
        environment["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes"
    return run(
        ["git", "-c", "core.quotePath=false", "-c", "safe.directory=*", *words],
        doing="asking git",
        deadline=deadline,
        cwd=cwd,
        environment=environment,
    )
