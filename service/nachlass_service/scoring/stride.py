"""Chooses how many rows of a batch are scored in one turn, between other requests.

A call of the predictor costs a fixed time and a time per row. Both are fitted to
the latest calls. Rows without a fixed cost are scored in turns of about 50 ms. A
high fixed cost is amortised: turns may take longer than 50 ms, until the rows
take 15 times the fixed cost, or a second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import NamedTuple

BATCH_TURN_S = 0.05
"""The longest turn in seconds, unless the fixed cost is high, because other requests wait."""
AMORTISED = 15
MAX_ROWS_S = 1.0
"""The longest time for the rows of a turn in seconds, in addition to the fixed cost."""
SHARE_OF_TIMEOUT = 0.25
"""The largest share of the prediction timeout for the rows of a turn."""
TURN_BYTES = 1 << 22
"""The most bytes that the predictions of a turn should have."""
MIN_ROWS, FIRST_ROWS, MAX_ROWS = 2, 16, 1 << 15
"""The rows that are scored at once: at least, in the first call, and at most."""
CAUTION = 4
"""The factor by which rows may take longer than those of the previous batch and still fit."""
GROWTH = 8
CALLS = 16
"""The number of calls in the fit."""
PROBES = 2
"""The number of small calls among them: they show the fixed cost, and one may be delayed."""
SPREAD = 8
"""A call is small if another has this many times its rows."""
SURPRISE = 2
"""A call that takes this many times the expected time shows that the costs have changed."""


class Call(NamedTuple):
    """A call of the predictor: the number of rows, and the duration in seconds."""

    rows: int
    seconds: float


class Stride:
    """The number of rows to score next, in `rows`; times are in seconds.

    It starts small in each batch, because the rows may take much longer than the
    previous batch's, and grows step by step. `timeout_s` is the timeout of a call;
    `fixed_s` is its fixed cost, None if unknown.
    """

    def __init__(
        self, timeout_s: float, rows: int = FIRST_ROWS, fixed_s: float | None = None
    ) -> None:
        self.rows = rows
        self._timeout_s = timeout_s
        self._longest_s = min(MAX_ROWS_S, timeout_s * SHARE_OF_TIMEOUT)
        self._fixed_s, self._row_s = fixed_s, 0.0
        self._calls: deque[Call] = deque(maxlen=CALLS)

    def for_next_batch(self) -> Stride:
        """Return the stride to start another batch with."""
        rows = max(min(self.rows, FIRST_ROWS), min(self.rows, MAX_ROWS // 2) // CAUTION)
        return Stride(self._timeout_s, rows, self._fixed_s)

    def note(self, rows: int, seconds: float) -> None:
        """Record a call that scored several rows at once."""
        last = Call(rows, max(seconds, 1e-6))
        if self._is_surprise(last):
            # Keep only earlier calls with more rows that took as long: they show that
            # calls are slow, not rows.
            kept = [c for c in self._calls if c.rows > rows and c.seconds > seconds / SURPRISE]
            self._calls = deque(kept, CALLS)
        self._calls.append(last)
        self._fit(last)
        limit = GROWTH * max(self._calls).rows
        self.rows = max(MIN_ROWS, min(self._fitting(last), limit, MAX_ROWS))

    def note_one_by_one(self, rows: int, seconds: float) -> None:
        """Record rows that were scored one by one, without a fixed cost to amortise."""
        fitting = int(rows * BATCH_TURN_S / max(seconds, 1e-6))
        self.rows = max(1, min(fitting, GROWTH * rows, MAX_ROWS))

    def note_size(self, rows: int, size: int) -> None:
        """Record the size in bytes of the predictions for some rows."""
        self.rows = max(MIN_ROWS, min(self.rows, rows * TURN_BYTES // max(1, size)))

    def start_over(self) -> None:
        """Continue with few rows: if one fails, all rows of its call are scored one by one."""
        self.rows = min(self.rows, FIRST_ROWS)

    def _is_surprise(self, last: Call) -> bool:
        """Return whether a call has taken much longer than expected."""
        expected_s = (self._fixed_s or 0.0) + self._row_s * last.rows
        is_long = last.seconds > max(BATCH_TURN_S, SURPRISE * expected_s)
        return is_long and last.rows > MIN_ROWS

    def _fit(self, last: Call) -> None:
        """Fit the fixed cost and the cost per row, if the calls have different sizes."""
        if max(self._calls).rows >= SPREAD * min(self._calls).rows:
            fixed_s, self._row_s = fit(self._calls)
            self._fixed_s = min(fixed_s, *(call.seconds for call in self._calls))
            return
        if self._fixed_s is not None:  # an estimate from earlier calls
            self._fixed_s = min(self._fixed_s, last.seconds / 2)
        self._row_s = (last.seconds - (self._fixed_s or 0.0)) / last.rows

    def _fitting(self, last: Call) -> int:
        """Return the number of rows that fit in the next turn, or the size of a probe."""
        is_unknown = self._fixed_s is None and last.seconds > BATCH_TURN_S / SPREAD
        if is_unknown or (len(self._calls) == CALLS and not self._has_probes()):
            return self._probe()
        fixed_s = self._fixed_s or 0.0
        rows_s = max(BATCH_TURN_S - fixed_s, min(AMORTISED * fixed_s, self._longest_s))
        return int(rows_s / max(self._row_s, 1e-9))

    def _has_probes(self) -> bool:
        max_rows = max(self._calls).rows
        return sum(SPREAD * call.rows <= max_rows for call in self._calls) >= PROBES

    def _probe(self) -> int:
        """Return another size for a call: fewer rows, or more if there are already few."""
        largest = max(self._calls)
        if largest.rows >= SPREAD * MIN_ROWS:
            return largest.rows // SPREAD
        row_s = min(call.seconds / call.rows for call in self._calls)
        return FIRST_ROWS if FIRST_ROWS * row_s <= self._longest_s else largest.rows


def fit(calls: Collection[Call]) -> tuple[float, float]:
    """Return the fixed seconds of a call and the seconds per row; calls have different sizes.

    The fit minimizes the squares of relative errors, so a delayed call counts little.
    Neither result is negative.
    """
    pairs = [(1 / seconds, rows / seconds) for rows, seconds in calls]
    x, y = (sum(values) for values in zip(*pairs, strict=True))
    xx, xy, yy = (sum(pair[n] * pair[m] for pair in pairs) for n, m in ((0, 0), (0, 1), (1, 1)))
    determinant = xx * yy - xy * xy
    fixed_s, row_s = (x * yy - y * xy) / determinant, (y * xx - x * xy) / determinant
    if fixed_s < 0:
        return 0.0, y / yy
    return (fixed_s, row_s) if row_s >= 0 else (x / xx, 0.0)
