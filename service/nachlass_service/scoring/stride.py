"""How many rows of a batch are scored in one turn, between other requests.

A call of the predictor costs a fixed time and a time for each row. Both are
fitted to the latest calls. Rows without a fixed cost are scored in turns of
about 50 ms. A high fixed cost is amortised: a turn takes longer than 50 ms
until its rows take 15 times the fixed cost, or a second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import NamedTuple

BATCH_TURN_S = 0.05
"""Seconds that a turn should take at most, unless the fixed cost is high: others wait."""
AMORTISED = 15
LONGEST_ROWS_S = 1.0
"""Seconds that the rows of a turn take at most, beside the fixed cost."""
SHARE_OF_TIMEOUT = 0.25
"""Nor do they take a larger share of the time limit of a prediction."""
TURN_BYTES = 1 << 22
"""Bytes that the answers of a turn should have at most."""
FEWEST_ROWS, FIRST_ROWS, MOST_ROWS = 2, 16, 1 << 15
"""Rows that are scored at once: at least, in the first call, and at most."""
CAUTION = 4
"""The rows of a batch may take so much longer than those of the one before, and still fit."""
GROWTH = 8
CALLS = 16
"""The fit is to so many calls."""
PROBES = 2
"""So many of them are small: these tell most about the fixed cost, but one may be held up."""
SPREAD = 8
"""A call is small when another has so many times its rows."""
SURPRISE = 2
"""A call that takes so many times what is expected shows that the costs have changed."""


class Call(NamedTuple):
    """A call of the predictor: how many rows it scored, in how many seconds."""

    rows: int
    seconds: float


class Stride:
    """The number of rows to score next, in `rows`; times are in seconds.

    It starts small in each batch, because its rows may take much longer than
    those before, and grows step by step. `timeout_s` is the time limit of a
    call; `fixed_s` is its known fixed cost, None when that is unknown.
    """

    def __init__(
        self, timeout_s: float, rows: int = FIRST_ROWS, fixed_s: float | None = None
    ) -> None:
        self.rows = rows
        self._timeout_s = timeout_s
        self._longest_s = min(LONGEST_ROWS_S, timeout_s * SHARE_OF_TIMEOUT)
        self._fixed_s, self._row_s = fixed_s, 0.0
        self._calls: deque[Call] = deque(maxlen=CALLS)

    def for_next_batch(self) -> Stride:
        """The stride that another batch begins with."""
        rows = max(min(self.rows, FIRST_ROWS), min(self.rows, MOST_ROWS // 2) // CAUTION)
        return Stride(self._timeout_s, rows, self._fixed_s)

    def note(self, rows: int, seconds: float) -> None:
        """Take note of a call that scored so many rows at once."""
        last = Call(rows, max(seconds, 1e-6))
        if self._is_surprise(last):
            # Of the calls before, only those that had more rows and took as long still
            # count: they show that it is a call that is slow, and not a row.
            kept = [c for c in self._calls if c.rows > rows and c.seconds > seconds / SURPRISE]
            self._calls = deque(kept, CALLS)
        self._calls.append(last)
        self._fit(last)
        most = GROWTH * max(self._calls).rows
        self.rows = max(FEWEST_ROWS, min(self._fitting(last), most, MOST_ROWS))

    def note_one_by_one(self, rows: int, seconds: float) -> None:
        """Take note of rows that were scored one by one: there is no fixed cost to amortise."""
        fitting = int(rows * BATCH_TURN_S / max(seconds, 1e-6))
        self.rows = max(1, min(fitting, GROWTH * rows, MOST_ROWS))

    def note_size(self, rows: int, size: int) -> None:
        """Take note of how many bytes the answers to so many rows have."""
        self.rows = max(FEWEST_ROWS, min(self.rows, rows * TURN_BYTES // max(1, size)))

    def start_over(self) -> None:
        """Go on with few rows: when one fails, all of its call are scored one by one."""
        self.rows = min(self.rows, FIRST_ROWS)

    def _is_surprise(self, last: Call) -> bool:
        """Whether a call has taken much longer than expected."""
        expected_s = (self._fixed_s or 0.0) + self._row_s * last.rows
        is_long = last.seconds > max(BATCH_TURN_S, SURPRISE * expected_s)
        return is_long and last.rows > FEWEST_ROWS

    def _fit(self, last: Call) -> None:
        """Tell the fixed cost from that of a row, if the calls are of different sizes."""
        if max(self._calls).rows >= SPREAD * min(self._calls).rows:
            fixed_s, self._row_s = fit(self._calls)
            self._fixed_s = min(fixed_s, *(call.seconds for call in self._calls))
            return
        if self._fixed_s is not None:  # but not proven by these calls
            self._fixed_s = min(self._fixed_s, last.seconds / 2)
        self._row_s = (last.seconds - (self._fixed_s or 0.0)) / last.rows

    def _fitting(self, last: Call) -> int:
        """How many rows fit in the next turn; of a probe, how many tell most."""
        is_unknown = self._fixed_s is None and last.seconds > BATCH_TURN_S / SPREAD
        if is_unknown or (len(self._calls) == CALLS and not self._has_probes()):
            return self._probe()
        fixed_s = self._fixed_s or 0.0
        rows_s = max(BATCH_TURN_S - fixed_s, min(AMORTISED * fixed_s, self._longest_s))
        return int(rows_s / max(self._row_s, 1e-9))

    def _has_probes(self) -> bool:
        most = max(self._calls).rows
        return sum(SPREAD * call.rows <= most for call in self._calls) >= PROBES

    def _probe(self) -> int:
        """The rows of a call of another size: fewer, or more where there are few already."""
        largest = max(self._calls)
        if largest.rows >= SPREAD * FEWEST_ROWS:
            return largest.rows // SPREAD
        row_s = min(call.seconds / call.rows for call in self._calls)
        return FIRST_ROWS if FIRST_ROWS * row_s <= self._longest_s else largest.rows


def fit(calls: Collection[Call]) -> tuple[float, float]:
    """The fixed seconds of a call, and the seconds of a row; the calls are of different sizes.

    These are the least squares of relative errors, so that a call that was held
    up counts little. Neither is negative.
    """
    pairs = [(1 / seconds, rows / seconds) for rows, seconds in calls]
    x, y = (sum(values) for values in zip(*pairs, strict=True))
    xx, xy, yy = (sum(pair[n] * pair[m] for pair in pairs) for n, m in ((0, 0), (0, 1), (1, 1)))
    determinant = xx * yy - xy * xy
    fixed_s, row_s = (x * yy - y * xy) / determinant, (y * xx - x * xy) / determinant
    if fixed_s < 0:
        return 0.0, y / yy
    return (fixed_s, row_s) if row_s >= 0 else (x / xx, 0.0)
