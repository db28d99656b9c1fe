"""Whether Billy is well: the breaker that ends a job instead of burning through its file, over all its passes.

The streak of failures begins with its first one and ends with any clear answer to a write. One record that Billy
stumbles over each time must not end the job for all others: a streak needs several rows, or requests that never
arrived.
"""

from __future__ import annotations

import asyncio
import time

FAILURES_BEFORE_PAUSE = 5
ROWS_OF_A_STREAK = 3


class Health:
    """The failures since the last clear answer. `seconds`: how long nothing but failures may last."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._failures = 0
        self._since = 0.0
        self._rows: set[int] = set()

    def answered(self) -> None:
        """Billy said something clear to a write, be it no."""
        self._failures = 0
        self._rows.clear()

    def failed(self, rows: list[int], *, arrived: bool) -> bool:
        """A request for these rows got no clear answer; `arrived`: it may have reached Billy. True: it is enough."""
        now = time.monotonic()
        if not self._failures:
            self._since = now
        self._failures += 1
        self._rows.update(rows)
        return now - self._since > self.seconds and (not arrived or len(self._rows) >= ROWS_OF_A_STREAK)

    async def pause(self) -> None:
        """A server in trouble is not helped by the rest of the file."""
        surplus = self._failures - FAILURES_BEFORE_PAUSE
        if surplus >= 0:
            await asyncio.sleep(min(10.0, 0.2 * 2 ** min(surplus, 6)))
