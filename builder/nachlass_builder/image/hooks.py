"""Runs the hooks of a source during the build of its image."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from nachlass_builder.foundation.errors import ExecutionError, Place
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.source.secret_files import secrets_in_text

HOOKS = Path(".s2i/action_hooks")
PRE_RUN = "pre_run"
"""The hook that stays in the image, where `run` sources it."""


def run_hook(source: Path, name: str, progress: Progress) -> None:
    """Run a hook of the source if it exists; raises ExecutionError if it fails."""
    hook = source / HOOKS / name
    if not hook.is_file():
        return
    with progress.step(f"running {HOOKS / name}"):
        command = [str(hook)] if os.access(hook, os.X_OK) else ["/bin/sh", str(hook)]
        try:
            status = subprocess.run(command, cwd=source, check=False).returncode
        except OSError as error:
            raise ExecutionError(
                f"{HOOKS / name} cannot be run: {error.strerror}",
                remedy="start it with #!/bin/sh, and use Unix line endings",
            ) from None
    if status < 0:
        raise ExecutionError(f"{HOOKS / name} was killed by signal {-status}")
    if status:
        raise ExecutionError(
            f"{HOOKS / name} exited with {status}", remedy="see its output above, if any"
        )


def keep_pre_run(source: Path, folder: Path, progress: Progress) -> None:
    """Replace the kept hook that runs before the service with the source's, if it has one."""
    (folder / PRE_RUN).unlink(missing_ok=True)
    hook = source / HOOKS / PRE_RUN
    if not hook.is_file():
        return
    for line, what in secrets_in_text(hook):
        place = Place(str(HOOKS / PRE_RUN), line=line)
        progress.warn(
            f"{place}: this looks like {what}, and stays in the image: "
            "let the hook read it at run time, from a variable or a mounted file"
        )
    shutil.copyfile(hook, folder / PRE_RUN)
