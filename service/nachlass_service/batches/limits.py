"""Limits the rows and the duration of a batch."""

from __future__ import annotations

import time

from nachlass_service.base.errors import TooLargeError
from nachlass_service.base.settings import Settings


class Limits:
    """The limits of one batch, which starts now; raises TooLargeError beyond them."""

    def __init__(self, settings: Settings) -> None:
        self.max_rows = settings.max_batch_rows
        self._longest_s = settings.max_batch_s
        self._ends_at = time.monotonic() + settings.max_batch_s

    def check_rows(self, rows: int) -> None:
        """Raise if a batch with this many rows exceeds the limit."""
        if rows > self.max_rows:
            raise TooLargeError(
                f"the batch has at least {rows} rows (limit {self.max_rows}, "
                "set by S2I_MAX_BATCH_ROWS): send several batches"
            )

    def check_time(self) -> None:
        """Raise if the batch has exceeded its time limit."""
        if time.monotonic() > self._ends_at:
            raise TooLargeError(
                f"the batch took too long (limit {self._longest_s:g} s, "
                "set by S2I_MAX_BATCH_SECONDS): send the remaining rows in another batch"
            )
