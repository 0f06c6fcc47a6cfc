"""Observes which files the cells read, and what was in them. Notebook's kernel.

`watch(root)` is called before the first cell, `write_reads(path)` after the
last; the file gets a Report as JSON.

An audit hook sees every file that Python's own `open` opens, and sqlite's. What
libraries in other languages and other programs read is seen below `root` alone,
see access_times.py. A digest is of the content that was read: it is taken at
the end, of a file that is still as it was when it was first opened, or just
before the notebook changes it. The hook and what it remembers are one file: nobody else
may touch either. Standard library and IPython only.
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

MOST_FILES = 1000
MOST_PATHS = 100_000
"""Paths that are remembered to count files once, and to tell what was written."""
LARGEST_FILE = 4 * 2**30
LARGEST_TOTAL = 16 * 2**30
"""Bytes that are digested, of a file and of all: hashing 1 GiB takes about a second."""
MOST_PROBLEMS = 5
CHUNK = 2**20

SYSTEM_FOLDERS = ("/proc", "/sys", "/dev", "/etc", "/lib", "/lib64", "/usr/lib", "/usr/share")
NO_DATA = (".py", ".pyc", ".pyi", ".pth", ".so", ".dylib", ".ttf", ".otf", ".ttc", ".afm")
"""The ends of the names of code and of fonts."""
LIST_OF_FONTS = re.compile(r"/matplotlib/fontlist-v[^/]*\.json$")
"""What matplotlib has found of fonts on this machine: made by the first plot, read by others."""


def watch(root: str) -> None:
    """Begin to observe; what this cannot do must not keep a notebook from running."""
    try:
        _Observer.only = observer = _Observer(AccessTimes(root))
        events = get_ipython().events
        events.register("pre_run_cell", observer.begin_cell)
        events.register("post_run_cell", observer.end_cell)
        sys.addaudithook(observer.hear)
    except Exception as error:  # noqa: BLE001
        _Observer.unable = repr(error)


class FileRead(TypedDict):
    """A file as it was when it was first read; `reason` says why there is no digest."""

    path: str
    bytes: int
    modified_ns: int
    sha256: str | None
    reason: str | None
    written: bool


class Report(TypedDict):
    """What was read, how many files `more`, what was written, and what went wrong here."""

    files: list[FileRead]
    more: int
    written: list[str]
    problems: list[str]


def write_reads(path: str) -> None:
    """Write what has been read so far."""
    observer = _Observer.only
    nothing = Report(files=[], more=0, written=[], problems=[_Observer.unable])
    known = observer.report() if observer else nothing
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
        json.dump(known, file)


@dataclass
class _Read:
    """A file as it was when it was first opened."""

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
    """What the audit hook has heard while cells ran, in this process alone."""

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
        """A cell begins, perhaps inside another that runs it."""
        self.cells += 1

    def end_cell(self, *_: object) -> None:
        """A cell has ended."""
        self.cells -= 1

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The audit hook: whatever it raised would reach the cell."""
        handler = _HANDLERS.get(event)
        if handler is None or not self.cells or getattr(self.thread, "busy", False):
            return
        if os.getpid() != self.pid:  # a fork, which cannot tell us
            return
        self.thread.busy = True
        try:
            handler(self, *arguments)
        except Exception as error:  # noqa: BLE001
            self._note_problem(f"{event}: {error!r}")
        finally:
            self.thread.busy = False

    def opened(self, name: Any, mode: str | None, flags: int) -> None:
        """A file is about to be opened."""
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
        """A database of sqlite is about to be opened, and changed unseen.

        It is digested at once: to read it later would end sqlite's own locks.
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
        """A file or folder gets another name, perhaps one that was read."""
        old, new = self._path(name), self._path(target)
        for path in (old, new):
            if path is not None:
                self._settle(path)
        if new is not None and (old is None or old in self.written):
            self._keep_written(new)

    def changed(self, name: Any, *_: object) -> None:
        """A file is about to be removed or cut."""
        path = self._path(name)
        if path is not None:
            self._settle(path)

    def report(self) -> Report:
        """Everything that was read; every digest that can still be taken."""
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
        """Where a file is; None for a descriptor, and where nothing is data."""
        if not isinstance(name, str | bytes | os.PathLike):
            return None
        path = os.path.abspath(os.fsdecode(name))  # noqa: PTH100
        if path.startswith(self.left_out) or path.endswith(NO_DATA):
            return None
        if LIST_OF_FONTS.search(path):
            return None
        return os.path.realpath(path)

    def _read(self, path: str) -> None:
        """Keep a file that is about to be read; only a regular one is."""
        if path in self.reads or path in self.more:
            return
        try:
            state = os.stat(path)  # noqa: PTH116
        except OSError:  # the cell will hear of it
            return
        if not stat.S_ISREG(state.st_mode):
            return
        if len(self.reads) >= MOST_FILES:
            if len(self.more) < MOST_PATHS:
                self.more.add(path)
            return
        # What other programs and libraries in C write is known by the time alone.
        written = path in self.written or state.st_ctime_ns >= self.began_ns
        self.reads[path] = _Read(state, written)

    def _write(self, path: str) -> None:
        """Take the digest of what is about to be overwritten."""
        self._settle(path)
        self._keep_written(path)

    def _keep_written(self, path: str) -> None:
        if len(self.written) < MOST_PATHS:
            self.written.add(path)

    def _settle(self, path: str) -> None:
        """Take the digest of a file that was read, once, if it is still the same."""
        read = self.reads.get(path)
        if read is None or read.sha256 or read.reason:
            return
        try:
            now = os.stat(path)  # noqa: PTH116
        except OSError:
            read.reason = "it was gone after it was read"
            return
        size = read.state.st_size
        if _identity(now) != _identity(read.state):
            read.reason = "it was changed after it was read"
        elif size > LARGEST_FILE or self.digested + size > LARGEST_TOTAL:
            read.reason = f"it is too large to be digested: {size:,} bytes"
        else:
            self.digested += size
            try:
                read.sha256 = _digest(path)
            except OSError as error:
                read.reason = f"it cannot be read: {error.strerror}"

    def _note_problem(self, text: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(text)


_HANDLERS: Mapping[str, Any] = {
    "open": _Observer.opened,
    "sqlite3.connect": _Observer.connected,
    "os.rename": _Observer.renamed,
    "os.remove": _Observer.changed,
    "os.truncate": _Observer.changed,
}


def _identity(state: os.stat_result) -> tuple[int, ...]:
    """What changes when a file does."""
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def _digest(path: str) -> str:
    """The SHA-256 of a regular file; what has become something else is not waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is no longer a file")
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folders_without_data() -> tuple[str, ...]:
    """The folders of Python, of this environment, of the system and of the kernel itself."""
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
