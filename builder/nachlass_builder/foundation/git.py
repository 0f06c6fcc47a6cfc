"""Runs git without prompts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from nachlass_builder.foundation.errors import SourceError
from nachlass_builder.foundation.process import Completed, Deadline, run

REPOSITORY_VARIABLES = frozenset(
    {
        *("GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"),
        *("GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_SHALLOW_FILE", "GIT_INTERNAL_SUPER_PREFIX"),
        *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_GRAFT_FILE"),
        *("GIT_REPLACE_REF_BASE", "GIT_NO_REPLACE_OBJECTS"),
    }
)
"""Variables that a git hook or another tool sets for its own repository."""


def git(words: list[str], cwd: Path, deadline: Deadline) -> Completed:
    """Run git without prompts in the repository at `cwd`; the caller checks the exit status."""
    kept = {name: value for name, value in os.environ.items() if name not in REPOSITORY_VARIABLES}
    environment = {**kept, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    if "GIT_SSH_COMMAND" not in environment:
        environment["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes"
    try:
        return _run(words, cwd, deadline, environment)
    except FileNotFoundError:
        if shutil.which("git"):
            raise
        raise SourceError("git is not installed", remedy="install git") from None


def _run(
    words: list[str], cwd: Path, deadline: Deadline, environment: Mapping[str, str]
) -> Completed:
    return run(
        ["git", "-c", "core.quotePath=false", "-c", "safe.directory=*", *words],
        doing="running git",
        deadline=deadline,
        cwd=cwd,
        environment=environment,
    )
