"""How far a job is: written by the engine, read by the heartbeat from another thread; plain numbers, no locks."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Progress:
    """One job's present state, as people see it."""

    total: int = 0
    verdicts: tuple[str, ...] = ()
    """Those its rows can have, where they are not a file's."""
    phase: str = "starting"
    to_send: int = 0
    """Rows with an action."""
    statuses: Counter[str] = field(default_factory=Counter)
    """Rows of the journal by status."""
    followers: dict[int, int] = field(default_factory=dict)
    """Row that stands for a record of several rows -> how many others are part of it."""
    requests: int = 0
    limited: int = 0
    waiting_for: str = ""
    remark: str = ""
    """What people should know of how the job is carried out."""
    sync_started: float | None = None
    sync_start_done: int = 0

    def moved(self, item_index: int, old: str, new: str) -> None:
        """A row, and with it the rows that are part of its record, went from one status to another."""
        rows = 1 + self.followers.get(item_index, 0)
        self.statuses[old] -= rows
        self.statuses[new] += rows

    @property
    def done(self) -> int:
        """Rows that have their verdict."""
        open_rows = sum(self.statuses[name] for name in ("valid", "planned", "sending", "outcome_unknown"))
        return max(0, sum(self.statuses.values()) - open_rows)

    @property
    def percent(self) -> float:
        """Share of the rows that have their verdict, 0 to 100."""
        return 100.0 * self.done / self.total if self.total else 0.0

    def rate(self) -> float:
        """Rows a second since the sync began."""
        if self.sync_started is None:
            return 0.0
        seconds = time.monotonic() - self.sync_started
        return (self.done - self.sync_start_done) / seconds if seconds > 0.5 else 0.0

    def line(self, width: int = 24) -> str:
        """One line with a text bar, for the log."""
        if self.waiting_for:
            return f"waiting for {self.waiting_for}, which is writing the same kind of records"
        filled = int(width * self.percent / 100)
        bar = "█" * filled + "░" * (width - filled)
        verdicts = " · ".join(
            f"{name} {self.statuses[name]}"
            for name in ("created", "updated", "unchanged", "skipped", "rejected", "reversed", "kept", "failed")
            if self.statuses[name]
        )
        rate = self.rate()
        remaining = (self.total - self.done) / rate if rate > 0 and self.total > self.done else 0
        left = f" · about {_duration(remaining)} left" if remaining >= 1 else ""
        speed = f" · {rate:.1f} rows/s" if rate else ""
        slowed = f" · {self.limited} × 429" if self.limited else ""
        return (
            f"{bar} {self.percent:5.1f} % · {self.done:,} of {self.total:,} · {self.phase}"
            f"{' · ' + verdicts if verdicts else ''}{speed}{left}{slowed}"
            f"{' · ' + self.remark if self.remark else ''}"
        )


def _duration(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )
