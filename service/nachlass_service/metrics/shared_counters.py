"""Numbers that all workers of a service share, a slot for each worker.

The memory is made before the workers are forked. A worker writes only to the
slot that it was given, and its successor goes on with it: sums over all slots
are exact whatever becomes of a worker, and nothing grows with workers that come
and go. A series is a row of float64 cells, the same row in every slot; series
that first show at run time are entered in a directory that all workers read.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryFile
from weakref import finalize

from nachlass_service.base.errors import BundleError

SLOTS = 256
"""Workers that can live at the same moment, old and new ones during a reload."""
CELLS = 8192
"""Cells of a slot. Memory that nothing is written to takes no room."""
DIRECTORY_BYTES = 1 << 24
"""Enough for a series in each cell, of two names that are as long as the metrics let them be."""

USED, READY, ENTERED, FLAGS = 0, 1, 2, 3
"""The header: slots ever used, whether all were ready once, bytes entered, a flag for each slot."""

Series = tuple[str, ...]


class SharedCounters:
    """A table of series and slots, in memory that is shared by fork.

    `known` are the series that exist from the start, with the cells of each.
    """

    def __init__(self, known: Iterable[tuple[Series, int]]) -> None:
        header, cells = 8 * (FLAGS + SLOTS), 8 * SLOTS * CELLS
        memory = memoryview(mmap.mmap(-1, header + cells + DIRECTORY_BYTES))
        self._header = memory[:header].cast("q")
        self._cells = memory[header : header + cells].cast("d")
        self._directory = memory[header + cells :]
        self._rows: dict[Series, range] = {}
        self._next_cell = 0
        self._read_bytes = 0
        self._slot = 0
        self._starts: dict[Series, int] = {}
        """The first cell of each series in our slot."""
        self._lock = threading.Lock()
        self._lock_file = _lock_file()
        finalize(self, os.close, self._lock_file).atexit = False
        for series, width in known:
            self._lay_out(series, width)

    def prepare(self, slot: int) -> None:
        """Make a slot ready for a worker that is about to be forked: the master's part."""
        if slot >= SLOTS:
            raise RuntimeError(f"there cannot be more than {SLOTS} workers at the same moment")
        self._header[USED] = max(self._header[USED], slot + 1)
        self._header[FLAGS + slot] = 0

    def use(self, slot: int) -> None:
        """Write to this slot from now on: the worker's part."""
        self._slot = slot
        self._starts = {series: slot * CELLS + cells.start for series, cells in self._rows.items()}

    def set_ready(self, workers: int) -> bool:
        """Say that this worker can answer; whether this made the service ready.

        The service is ready once `workers` are, and stays so: that one of them
        is replaced later does not take the others away.
        """
        with self.alone():
            self._header[FLAGS + self._slot] = 1
            if self.is_ready or sum(self._header[FLAGS:]) < workers:
                return False
            self._header[READY] = 1
            return True

    def stay_ready(self) -> None:
        """Begin as ready: what these slots replace was."""
        self._header[READY] = 1

    @property
    def is_ready(self) -> bool:
        """Whether all workers were ready once."""
        return bool(self._header[READY])

    def __contains__(self, series: Series) -> bool:
        return series in self._rows

    def series(self) -> list[Series]:
        """All series there are, entered by whatever worker."""
        self._read_directory()
        return list(self._rows)

    def add(self, series: Series, amounts: Mapping[int, float]) -> None:
        """Add to cells of a series, by their position in its row."""
        first = self._starts[series]
        for position, amount in amounts.items():
            self._cells[first + position] += amount

    def count(self, series: Series, position: int = 0, amount: float = 1) -> None:
        """Add to one cell of a series: as `add`, and faster."""
        self._cells[self._starts[series] + position] += amount

    def take(self, series: Series) -> float:
        """The first cell of a series in our slot, which is emptied."""
        cell = self._starts[series]
        value, self._cells[cell] = self._cells[cell], 0
        return float(value)

    def sums(self, series: Series) -> list[float]:
        """A series' row, added up over all slots."""
        cells = self._cells
        slots = range(0, self._header[USED] * CELLS, CELLS)
        return [sum(cells[slot + cell] for slot in slots) for cell in self._rows[series]]

    def cells(self, series: Series) -> range:
        """The cells of a series, in every slot."""
        return self._rows[series]

    def totals(self) -> array[float]:
        """All cells, added up over all slots."""
        self._read_directory()
        size = self._next_cell
        slots = range(0, self._header[USED] * CELLS, CELLS)
        return array("d", map(sum, zip(*(self._cells[s : s + size] for s in slots), strict=True)))

    def enter(self, series: Series, width: int, allowed: Callable[[list[Series]], bool]) -> bool:
        """Enter a series of so many cells, if `allowed` says so of those there are by then.

        False when it is not allowed, or when there is no more room.
        """
        with self.alone():
            there = self.series()
            if series in self._rows:
                return True
            line = json.dumps([width, *series], ensure_ascii=False).encode() + b"\n"
            start = self._header[ENTERED]
            end = start + len(line)
            if not allowed(there) or self._next_cell + width > CELLS or end > DIRECTORY_BYTES:
                return False
            self._directory[start:end] = line
            self._header[ENTERED] = end  # only now do others read it
            self._read_directory()
            return True

    def _read_directory(self) -> None:
        """Lay out what workers have entered since the last time."""
        end = self._header[ENTERED]
        for line in bytes(self._directory[self._read_bytes : end]).splitlines():
            width, *series = json.loads(line)
            self._lay_out(tuple(series), width)
        self._read_bytes = end

    def _lay_out(self, series: Series, width: int) -> None:
        """Give a series the next cells, the same ones in every process; raises BundleError."""
        if self._next_cell + width > CELLS:
            raise BundleError(
                f"the manifest asks for more than the {CELLS:,} cells of metrics there is room for"
            )
        self._rows[series] = range(self._next_cell, self._next_cell + width)
        self._starts[series] = self._slot * CELLS + self._next_cell
        self._next_cell += width

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other workers away; the kernel lets go for a worker that is killed."""
        with self._lock:  # the file's lock is the process's: any of its threads would let go
            fcntl.lockf(self._lock_file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.lockf(self._lock_file, fcntl.LOCK_UN)


def _lock_file() -> int:
    """A file without a name, in memory where the system can: the root may be read-only."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("nachlass")
    with TemporaryFile() as file:
        return os.dup(file.fileno())
