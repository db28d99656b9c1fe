"""One rate budget per token for all processes: one row, the generic cell rate algorithm (GCRA).

A caller reserves n permits in one statement and gets back how long to wait for the first and how far apart they are.
The rate starts at 2/s and doubles each clean second up to the ceiling. The rate at which Billy refused (429) is learned
and kept: after a refusal the rate falls to three quarters, comes back soon, and passes the learned rate slowly, as
TCP's cubic congestion control does; far above it, what was learned does not hold any more. Halving, and growing by a
fixed step, used three quarters of a limit.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Engine, text

START_RATE = 2.0
SLOWEST_RATE = 0.1
IDLE_SECONDS = 60.0
ONE_WAVE_SECONDS = 0.75
"""Refusals that close together are answers to requests of one moment: Billy takes 0.4 s for an answer at most."""
BACKGROUND_PATIENCE = 10.0
BACKGROUND_POLL = 0.25


@dataclass(frozen=True)
class Reservation:
    """Permits granted: seconds to wait for the first, seconds between them. None granted: ask again after `wait`."""

    wait: float
    interval: float
    permits: int


_PRESENT = """
    WITH present AS (
        SELECT name, clock_timestamp() AS at, rate, rate_changed_at, next_permit_at, rate_threshold AS refused
        FROM billy.billy_organizations WHERE name = :organization FOR UPDATE
    ), grown AS (
        SELECT *,
            greatest(least(:ceiling, CASE
                WHEN rate IS NULL OR next_permit_at < at - make_interval(secs => :idle) THEN :start
                WHEN at < rate_changed_at + interval '1 second' THEN rate
                WHEN refused IS NULL THEN rate * 2
                WHEN rate < refused * 0.75 THEN least(rate * 2, refused * 0.75)
                WHEN rate BETWEEN refused * 0.9 AND refused * 1.1 THEN rate * 1.01
                WHEN rate > refused * 1.5 THEN rate * 1.5
                ELSE rate * 1.06
            END), :slowest) AS new_rate
        FROM present
    )
"""

_RESERVE = text(
    _PRESENT
    + """
    UPDATE billy.billy_organizations AS o SET
        rate = g.new_rate,
        rate_changed_at = CASE WHEN o.rate IS NULL OR o.rate <> g.new_rate
                                    OR g.at >= o.rate_changed_at + interval '1 second'
                               THEN g.at ELSE o.rate_changed_at END,
        next_permit_at = greatest(coalesce(g.next_permit_at, g.at), g.at) + make_interval(secs => :permits / g.new_rate)
    FROM grown AS g WHERE o.name = g.name AND (NOT :only_if_free OR coalesce(g.next_permit_at, g.at) <= g.at)
    RETURNING extract(epoch FROM greatest(coalesce(g.next_permit_at, g.at), g.at) - g.at), 1 / g.new_rate
    """
)

_EXISTS = text("SELECT 1 FROM billy.billy_organizations WHERE name = :organization")

_PUSH_BACK = text(
    """
    UPDATE billy.billy_organizations SET
        rate_threshold = CASE WHEN rate_refused_at > clock_timestamp() - make_interval(secs => :wave)
                              THEN rate_threshold ELSE greatest(coalesce(rate, :start), :slowest) END,
        rate = CASE WHEN rate_refused_at > clock_timestamp() - make_interval(secs => :wave)
                    THEN rate
                    ELSE greatest(coalesce(rate, :start) * CASE WHEN rate_threshold IS NULL THEN 0.5 ELSE 0.75 END,
                                  :slowest) END,
        rate_refused_at = clock_timestamp(),
        rate_changed_at = greatest(rate_changed_at, clock_timestamp() + make_interval(secs => :wait)),
        next_permit_at = greatest(next_permit_at, clock_timestamp() + make_interval(secs => :wait))
    WHERE name = :organization
    """
)


class RateRow:
    """The rate budget of one organization's token. Methods block for about a millisecond.

    `background`: work that nobody waits for (nightly exports). It takes a permit only where no other process has
    reserved one, or after ten seconds without any, so that it goes on beside a job of hours.
    """

    def __init__(self, engine: Engine, organization: str, ceiling: float, *, background: bool = False) -> None:
        self._engine = engine
        self._organization = organization
        self._ceiling = ceiling
        self._background = background
        self._waiting_since: float | None = None

    def reserve(self, permits: int) -> Reservation:
        """Reserve that many requests in a row, in the order of asking over all processes."""
        if self._background:
            permits = 1
        waited = time.monotonic() - self._waiting_since if self._waiting_since is not None else 0.0
        with self._engine.begin() as connection:
            row = connection.execute(
                _RESERVE,
                {
                    "organization": self._organization,
                    "permits": float(permits),
                    "ceiling": self._ceiling,
                    "start": START_RATE,
                    "slowest": min(SLOWEST_RATE, self._ceiling),
                    "idle": IDLE_SECONDS,
                    "only_if_free": self._background and waited < BACKGROUND_PATIENCE,
                },
            ).one_or_none()
            if row is None:
                connection.execute(_EXISTS, {"organization": self._organization}).one()
                self._waiting_since = self._waiting_since or time.monotonic()
                return Reservation(BACKGROUND_POLL, BACKGROUND_POLL, 0)
        self._waiting_since = None
        return Reservation(wait=float(row[0]), interval=float(row[1]), permits=permits)

    def push_back(self, seconds: float) -> None:
        """Billy refused for its limit: nobody sends for that long, and all go more slowly afterwards."""
        with self._engine.begin() as connection:
            connection.execute(
                _PUSH_BACK,
                {
                    "organization": self._organization,
                    "wait": seconds,
                    "start": START_RATE,
                    "slowest": SLOWEST_RATE,
                    "wave": ONE_WAVE_SECONDS,
                },
            )
