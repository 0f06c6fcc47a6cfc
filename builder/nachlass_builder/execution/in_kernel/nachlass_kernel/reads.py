"""Observes which files the cells read, and their contents. Notebook's kernel.

`watch(root)` is called before the first cell, `write_reads(path)` after the last; it writes a
Report as JSON.

An audit hook sees every file that Python's `open` and sqlite open. Reads by libraries in other
languages and by other programs are seen only below `root`, see access_times.py. A digest is of
the content that was read: it is taken at the end if the file has not changed since it was first
opened, or just before the notebook changes it. The hook and its state are one module, because
nothing else may touch either. Standard library and IPython only.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import sys
import sysconfig
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from IPython import get_ipython

from nachlass_kernel.access_times import AccessTimes

MAX_FILES = 1000
MAX_PATHS = 100_000
"""Paths that are remembered, to count files once and to know which were written."""
MAX_FILE_BYTES = 4 * 2**30
MAX_TOTAL_BYTES = 16 * 2**30
"""Bytes to digest, per file and in total: hashing 1 GiB takes about a second."""
MAX_PROBLEMS = 5
CHUNK = 2**20

SYSTEM_FOLDERS = ("/proc", "/sys", "/dev", "/etc", "/lib", "/lib64", "/usr/lib", "/usr/share")
NO_DATA = (".py", ".pyc", ".pyi", ".pth", ".so", ".dylib", ".ttf", ".otf", ".ttc", ".afm")
"""Suffixes of code and fonts."""
LIST_OF_FONTS = re.compile(r"/matplotlib/fontlist-v[^/]*\.json$")
"""matplotlib's list of the machine's fonts: written by the first plot, read by later ones."""


def watch(root: str) -> None:
    """Start observing; a failure here must not stop the notebook."""
    try:
        _Observer.only = observer = _Observer(AccessTimes(root))
        events = get_ipython().events
        events.register("pre_run_cell", observer.begin_cell)
        events.register("post_run_cell", observer.end_cell)
        sys.addaudithook(observer.handle_event)
    except Exception as error:  # noqa: BLE001
        _Observer.unable = repr(error)


class FileRead(TypedDict):
    """The state of a file when it was first read; `reason` says why there is no digest."""

    path: str
    bytes: int
    modified_ns: int
    sha256: str | None
    reason: str | None
    written: bool


class Report(TypedDict):
    """The files read, the number of unlisted ones, the paths written, and the problems here."""

    files: list[FileRead]
    more: int
    written: list[str]
    problems: list[str]


def write_reads(path: str) -> None:
    """Write the reads so far."""
    observer = _Observer.only
    nothing = Report(files=[], more=0, written=[], problems=[_Observer.unable])
    known = observer.report() if observer else nothing
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
        json.dump(known, file)


@dataclass
class _Read:
    """The state of a file when it was first opened."""

    state: os.stat_result
    written: bool
    sha256: str | None = None
    reason: str | None = None

    def as_data(self, path: str) -> FileRead:
        return {
            "path": path,
            "bytes": self.state.st_size,
            "modified_ns": self.state.st_mtime_ns,
            "sha256": self.sha256,
            "reason": self.reason,
            "written": self.written,
        }


class _Observer:
    """The audit hook's observations while cells run, in this process only."""

    only: _Observer | None = None
    unable = "nothing was observed"

    def __init__(self, access_times: AccessTimes) -> None:
        self.access_times = access_times
        self.pid = os.getpid()
        self.began_ns = time.time_ns()
        self.cells = 0
        self.thread = threading.local()
        self.left_out = _folders_without_data()
        self.reads: dict[str, _Read] = {}
        self.more: set[str] = set()
        self.written: set[str] = set()
        self.problems: list[str] = []
        self.digested = 0

    def begin_cell(self, *_: object) -> None:
        """Count a cell that starts, perhaps nested in another."""
        self.cells += 1

    def end_cell(self, *_: object) -> None:
        """Count a cell that has ended."""
        self.cells -= 1

    def handle_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Handle an audit event; an exception here would reach the cell."""
        handler = _HANDLERS.get(event)
        if handler is None or not self.cells or getattr(self.thread, "busy", False):
            return
        if os.getpid() != self.pid:  # a fork, which cannot report back
            return
        self.thread.busy = True
        try:
            handler(self, *arguments)
        except Exception as error:  # noqa: BLE001
            self._note_problem(f"{event}: {error!r}")
        finally:
            self.thread.busy = False

    def opened(self, name: Any, mode: str | None, flags: int) -> None:
        """Handle a file that is about to be opened."""
        path = self._path(name)
        if path is None:
            return
        mode = mode or ""
        access = flags & os.O_ACCMODE
        if access == os.O_RDONLY and not set(mode) & set("wax+"):
            self._read(path)
            return
        if (access == os.O_RDWR or "+" in mode) and not flags & os.O_TRUNC and "w" not in mode:
            self._read(path)
        self._write(path)

    def connected(self, name: Any) -> None:
        """Handle an sqlite database that is about to be opened, and changed without events.

        It is digested at once, because reading it later would release sqlite's locks.
        """
        text = os.fsdecode(name)
        if text.startswith("file:"):
            text = text.removeprefix("file:").partition("?")[0]
            text = text[text.find("/", 2) :] if text.startswith("//") else text
        if not text or ":memory:" in text or (path := self._path(text)) is None:
            return
        if os.path.exists(path):  # noqa: PTH110
            self._read(path)
            self._settle(path)
        self._keep_written(path)

    def renamed(self, name: Any, target: Any, *_: object) -> None:
        """Handle a rename of a file or folder, perhaps over a file that was read."""
        old, new = self._path(name), self._path(target)
        for path in (old, new):
            if path is not None:
                self._settle(path)
        if new is not None and (old is None or old in self.written):
            self._keep_written(new)

    def changed(self, name: Any, *_: object) -> None:
        """Handle a file that is about to be removed or truncated."""
        path = self._path(name)
        if path is not None:
            self._settle(path)

    def report(self) -> Report:
        """Return everything that was read, with every digest that can still be taken."""
        try:
            for name in self.access_times.read():
                path = self._path(name)
                if path is not None and path not in self.written:
                    self._read(path)
            for path in self.reads:
                self._settle(path)
        except Exception as error:  # noqa: BLE001
            self._note_problem(f"report: {error!r}")
        return {
            "files": [read.as_data(path) for path, read in self.reads.items()],
            "more": len(self.more),
            "written": sorted(self.written),
            "problems": self.problems,
        }

    def _path(self, name: Any) -> str | None:
        """Return the real path of a file; None for a descriptor or a path without data."""
        if not isinstance(name, str | bytes | os.PathLike):
            return None
        path = os.path.abspath(os.fsdecode(name))  # noqa: PTH100
        if path.startswith(self.left_out) or path.endswith(NO_DATA):
            return None
        if LIST_OF_FONTS.search(path):
            return None
        return os.path.realpath(path)

    def _read(self, path: str) -> None:
        """Record a file that is about to be read, if it is a regular file."""
        if path in self.reads or path in self.more:
            return
        try:
            state = os.stat(path)  # noqa: PTH116
        except OSError:  # the cell gets the same error
            return
        if not stat.S_ISREG(state.st_mode):
            return
        if len(self.reads) >= MAX_FILES:
            if len(self.more) < MAX_PATHS:
                self.more.add(path)
            return
        # Writes by other programs and C libraries show only in the time.
        written = path in self.written or state.st_ctime_ns >= self.began_ns
        self.reads[path] = _Read(state, written)

    def _write(self, path: str) -> None:
        """Digest a file that is about to be overwritten."""
        self._settle(path)
        self._keep_written(path)

    def _keep_written(self, path: str) -> None:
        if len(self.written) < MAX_PATHS:
            self.written.add(path)

    def _settle(self, path: str) -> None:
        """Digest a file that was read, once, if it is unchanged."""
        read = self.reads.get(path)
        if read is None or read.sha256 or read.reason:
            return
        try:
            now = os.stat(path)  # noqa: PTH116
        except OSError:
            read.reason = "it was removed after it was read"
            return
        size = read.state.st_size
        if _identity(now) != _identity(read.state):
            read.reason = "it was changed after it was read"
        elif size > MAX_FILE_BYTES or self.digested + size > MAX_TOTAL_BYTES:
            limits = f"limit {MAX_FILE_BYTES:,} bytes per file, {MAX_TOTAL_BYTES:,} in total"
            read.reason = f"it is too large to digest: {size:,} bytes ({limits})"
        else:
            self.digested += size
            try:
                read.sha256 = _digest(path)
            except OSError as error:
                read.reason = f"it cannot be read: {error.strerror}"

    def _note_problem(self, text: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(text)


_HANDLERS: Mapping[str, Any] = {
    "open": _Observer.opened,
    "sqlite3.connect": _Observer.connected,
    "os.rename": _Observer.renamed,
    "os.remove": _Observer.changed,
    "os.truncate": _Observer.changed,
}


def _identity(state: os.stat_result) -> tuple[int, ...]:
    """Return the values that change when a file does."""
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def _digest(path: str) -> str:
    """Return the SHA-256 of a regular file, without blocking on anything else."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is no longer a file")
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folders_without_data() -> tuple[str, ...]:
    """Return the folders of Python, this environment, the system and the kernel itself."""
    home = os.path.expanduser("~")  # noqa: PTH111
    own = [
        sys.prefix,
        os.path.join(sys.base_prefix, "lib"),  # noqa: PTH118
        *sysconfig.get_paths().values(),
        *(os.environ.get(name, "") for name in ("IPYTHONDIR", "JUPYTER_DATA_DIR")),
        *(f"{home}/{name}" for name in (".cache/matplotlib", ".config/matplotlib")),
        *(f"{home}/{name}" for name in (".cache/fontconfig", ".fonts")),
        os.environ.get("MPLCONFIGDIR", ""),
    ]
    folders = {os.path.abspath(folder) for folder in own if folder}  # noqa: PTH100
    folders |= {os.path.realpath(folder) for folder in folders}
    return tuple(f"{folder}/" for folder in (*SYSTEM_FOLDERS, *sorted(folders)) if folder != "/")
