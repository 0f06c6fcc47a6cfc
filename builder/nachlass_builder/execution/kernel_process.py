"""The surroundings of a kernel: variables, folder, pip, and cleanup.

A kernel's files are in one private folder: connection file, sockets, IPython's and Jupyter's
folders, the commands pip and pip3. That folder and the kernel's processes are cleaned up with
the kernel, and also when the builder is killed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from nachlass_builder.packages.bytecode import bytecode_folder

CHILDREN_GRACE_S = 0.5

IN_KERNEL = Path(__file__).parent / "in_kernel"
MAX_FOLDER_LENGTH = 80
"""Socket paths are limited to about 100 bytes on every system; the file name takes the rest."""

DROPPED_VARIABLES = (
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "MPLBACKEND",  # the kernel's default draws into the notebook
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONSAFEPATH",
    "PYTHONINSPECT",
    "PYTHONIOENCODING",
    "PYTHONUTF8",  # the locale sets it, also for other languages
    "JPY_SESSION_NAME",
    "VIRTUAL_ENV",  # `uv pip install` would write into the shared environment
)
SHELLS = ("sh", "bash", "dash", "ksh", "zsh")

# Waits for its stdin to close, which means that the builder has ended, and cleans up after it.
GUARD = """
read _
kill -s KILL "$0"
kill -s TERM -- "-$0"
sleep 0.5
kill -s KILL -- "-$0"
rm -rf -- "$1"
"""


def kernel_environment(
    base: Mapping[str, str], python: Path, folder: Path, pythonpath: Sequence[Path]
) -> dict[str, str]:
    """Return the variables for a kernel: UTF-8, no display, its own environment first on PATH.

    Sets have the same order in every run, unless the user overrides it.
    """
    environment = {"PYTHONHASHSEED": "0"} | {
        name: value
        for name, value in base.items()
        if name not in DROPPED_VARIABLES and not name.startswith(("JUPYTER_", "IPYTHON"))
    }
    if Path(environment.get("SHELL", "sh")).name not in SHELLS:
        del environment["SHELL"]
    path = [str(folder / "bin"), str(python.parent), environment.get("PATH") or os.defpath]
    return environment | {
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PATH": os.pathsep.join(path),
        "PYTHONPATH": os.pathsep.join(map(str, [IN_KERNEL, *pythonpath])),
        # Compiled once for every kernel of this environment, and never beside the source.
        "PYTHONPYCACHEPREFIX": str(bytecode_folder(python)),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / "jupyter"),
        "JUPYTER_DATA_DIR": str(folder / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(folder / "jupyter"),
        "NACHLASS_PIP_MISSING": str(folder / "missing"),
    }


@contextmanager
def private_folder() -> Iterator[Path]:
    """Create a folder that only this user can read, with a path short enough for sockets."""
    folder = tempfile.mkdtemp(prefix="nachlass-")
    if len(os.fsencode(folder)) > MAX_FOLDER_LENGTH:
        Path(folder).rmdir()
        folder = tempfile.mkdtemp(prefix="nachlass-", dir="/tmp")
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def provide_pip(python: Path, folder: Path) -> None:
    """Make the commands pip and pip3 run the pip of `in_kernel`."""
    (folder / "bin").mkdir()
    for name in ("pip", "pip3"):
        script = folder / "bin" / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(str(python))} -P -m pip "$@"\n')
        script.chmod(0o755)


def guarded(pid: int, folder: Path) -> subprocess.Popen[bytes]:
    """Start the program that cleans up if this one is killed."""
    return subprocess.Popen(
        ["/bin/sh", "-c", GUARD, str(pid), str(folder)],
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill_family(process: subprocess.Popen[bytes]) -> None:
    """Kill a session leader, then its descendants.

    In between, multiprocessing's resource trackers, which survive SIGTERM unlike workers, get a
    moment to remove shared memory and semaphores.
    """
    pids = _strays(process.pid)
    process.kill()
    process.wait()
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
        ends_at = time.monotonic() + CHILDREN_GRACE_S
        while time.monotonic() < ends_at:
            os.killpg(process.pid, 0)
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _strays(ancestor: int) -> list[int]:
    """Return the descendants of a process that left its session, if /proc is available."""
    parents: dict[int, int] = {}
    sessions: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
            pid = int(stat.parent.name)
            parents[pid], sessions[pid] = int(fields[1]), int(fields[3])
    family = {ancestor}
    while found := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= found
    return [pid for pid in family if sessions.get(pid) not in (ancestor, None)]
