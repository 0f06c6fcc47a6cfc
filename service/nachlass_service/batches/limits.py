"""How many rows a batch may have, and how long it may take."""

from __future__ import annotations

import time

from nachlass_service.base.errors import TooLargeError
from nachlass_service.base.settings import Settings


class Limits:
    """The limits of one batch, whose time begins now; beyond them TooLargeError is raised."""

    def __init__(self, settings: Settings) -> None:
        self.most_rows = settings.max_batch_rows
        self._longest_s = settings.max_batch_s
        self._ends_at = time.monotonic() + settings.max_batch_s

    def check_rows(self, rows: int) -> None:
        """Raise unless the batch may have so many rows."""
        if rows > self.most_rows:
            raise TooLargeError(
                f"the batch has {rows} rows or more (limit {self.most_rows}, "
                "set by S2I_MAX_BATCH_ROWS): send several batches"
            )

    def check_time(self) -> None:
        """Raise when the batch has taken too long already."""
        if time.monotonic() > self._ends_at:
            raise TooLargeError(
                f"the batch took too long (limit {self._longest_s:g} s, "
                "set by S2I_MAX_BATCH_SECONDS): send the rows from here on in another batch"
            )
