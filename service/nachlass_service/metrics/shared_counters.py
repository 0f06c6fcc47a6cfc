"""Counters in shared memory, with a slot for each worker.

The memory is allocated before the workers are forked. A worker writes only to its
slot, and its successor continues with it: sums over all slots are exact even if a
worker is killed, and the memory does not grow when workers are replaced. A series is
a row of float64 cells, the same row in every slot; new series are entered at run time
in a directory that all workers read.
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
"""The most workers at the same time, including old and new ones during a reload."""
CELLS = 8192
"""The cells of a slot. Unused memory is never allocated by the system."""
DIRECTORY_BYTES = 1 << 24
"""Enough for a series in each cell, with two names of maximum length."""

USED, READY, ENTERED, FLAGS = 0, 1, 2, 3
"""The header: slots ever used, whether all were ready once, directory bytes, a flag per slot."""

Series = tuple[str, ...]


class SharedCounters:
    """A table of series and slots, in memory that is shared by fork.

    `known` has the series that exist from the start, with the number of cells of each.
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
        """Reset a slot for a worker; called in the master before the fork."""
        if slot >= SLOTS:
            raise RuntimeError(f"too many workers (limit {SLOTS})")
        self._header[USED] = max(self._header[USED], slot + 1)
        self._header[FLAGS + slot] = 0

    def use(self, slot: int) -> None:
        """Write to a slot from now on; called in its worker."""
        self._slot = slot
        self._starts = {series: slot * CELLS + cells.start for series, cells in self._rows.items()}

    def set_ready(self, workers: int) -> bool:
        """Mark this worker as ready; return whether this makes the service ready.

        The service is ready once `workers` are, and stays ready when a worker is
        replaced later.
        """
        with self.exclusive():
            self._header[FLAGS + self._slot] = 1
            if self.is_ready or sum(self._header[FLAGS:]) < workers:
                return False
            self._header[READY] = 1
            return True

    def stay_ready(self) -> None:
        """Start as ready, because the replaced counters were."""
        self._header[READY] = 1

    @property
    def is_ready(self) -> bool:
        """Whether all workers were ready once."""
        return bool(self._header[READY])

    def __contains__(self, series: Series) -> bool:
        return series in self._rows

    def series(self) -> list[Series]:
        """Return all series, including those entered by other workers."""
        self._read_directory()
        return list(self._rows)

    def add(self, series: Series, amounts: Mapping[int, float]) -> None:
        """Add to cells of a series, by their position in its row."""
        first = self._starts[series]
        for position, amount in amounts.items():
            self._cells[first + position] += amount

    def count(self, series: Series, position: int = 0, amount: float = 1) -> None:
        """Add to one cell of a series; faster than `add`."""
        self._cells[self._starts[series] + position] += amount

    def take(self, series: Series) -> float:
        """Return and reset the first cell of a series in our slot."""
        cell = self._starts[series]
        value, self._cells[cell] = self._cells[cell], 0
        return float(value)

    def sums(self, series: Series) -> list[float]:
        """Return the row of a series, summed over all slots."""
        cells = self._cells
        slots = range(0, self._header[USED] * CELLS, CELLS)
        return [sum(cells[slot + cell] for slot in slots) for cell in self._rows[series]]

    def cells(self, series: Series) -> range:
        """Return the cells of a series, which are the same in every slot."""
        return self._rows[series]

    def totals(self) -> array[float]:
        """Return all cells, summed over all slots."""
        self._read_directory()
        size = self._next_cell
        slots = range(0, self._header[USED] * CELLS, CELLS)
        return array("d", map(sum, zip(*(self._cells[s : s + size] for s in slots), strict=True)))

    def enter(self, series: Series, width: int, allowed: Callable[[list[Series]], bool]) -> bool:
        """Enter a series with `width` cells, if `allowed` is true for the existing series.

        Return false if it is not allowed or there is no more room.
        """
        with self.exclusive():
            existing = self.series()
            if series in self._rows:
                return True
            line = json.dumps([width, *series], ensure_ascii=False).encode() + b"\n"
            start = self._header[ENTERED]
            end = start + len(line)
            if not allowed(existing) or self._next_cell + width > CELLS or end > DIRECTORY_BYTES:
                return False
            self._directory[start:end] = line
            self._header[ENTERED] = end  # other workers read the entry only from now on
            self._read_directory()
            return True

    def _read_directory(self) -> None:
        """Lay out the series that workers have entered since the last call."""
        end = self._header[ENTERED]
        for line in bytes(self._directory[self._read_bytes : end]).splitlines():
            width, *series = json.loads(line)
            self._lay_out(tuple(series), width)
        self._read_bytes = end

    def _lay_out(self, series: Series, width: int) -> None:
        """Assign the next cells, the same in every process, to a series; raises BundleError."""
        if self._next_cell + width > CELLS:
            raise BundleError(f"the manifest needs too many cells for metrics (limit {CELLS:,})")
        self._rows[series] = range(self._next_cell, self._next_cell + width)
        self._starts[series] = self._slot * CELLS + self._next_cell
        self._next_cell += width

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Lock the table against other workers; the kernel unlocks it if a worker is killed."""
        with self._lock:  # the file lock belongs to the process, not to the thread
            fcntl.lockf(self._lock_file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.lockf(self._lock_file, fcntl.LOCK_UN)


def _lock_file() -> int:
    """Open an unnamed file, in memory if possible because the file system may be read-only."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("nachlass")
    with TemporaryFile() as file:
        return os.dup(file.fileno())
