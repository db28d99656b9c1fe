"""One rate budget per token for all processes: one row, the generic cell rate algorithm (GCRA).

A caller reserves n permits in one statement and gets back how long to wait for the first and how far apart they are.
The rate starts at 2/s and doubles each clean second up to the ceiling; a refusal (429) halves it and makes that the
threshold, beyond which it grows slowly, as in TCP's congestion avoidance.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, text

START_RATE = 2.0
SLOWEST_RATE = 0.1
IDLE_SECONDS = 60.0


@dataclass(frozen=True)
class Reservation:
    """Permits granted: seconds to wait for the first, seconds between them."""

    wait: float
    interval: float


_RESERVE = text(
    """
    WITH present AS (
        SELECT name, clock_timestamp() AS at, rate, rate_changed_at, next_permit_at,
               least(coalesce(rate_threshold, :ceiling), :ceiling) AS threshold
        FROM billy.billy_organizations WHERE name = :organization FOR UPDATE
    ), grown AS (
        SELECT *,
            greatest(CASE
                WHEN rate IS NULL OR next_permit_at < at - make_interval(secs => :idle) THEN least(:start, threshold)
                WHEN at < rate_changed_at + interval '1 second' THEN least(rate, :ceiling)
                WHEN rate < threshold THEN least(rate * 2, threshold)
                ELSE least(rate + :ceiling * 0.02, :ceiling)
            END, :slowest) AS new_rate
        FROM present
    )
    UPDATE billy.billy_organizations AS o SET
        rate = g.new_rate,
        rate_changed_at = CASE WHEN o.rate IS NULL OR o.rate <> g.new_rate
                                    OR g.at >= o.rate_changed_at + interval '1 second'
                               THEN g.at ELSE o.rate_changed_at END,
        next_permit_at = greatest(coalesce(g.next_permit_at, g.at), g.at) + make_interval(secs => :permits / g.new_rate)
    FROM grown AS g WHERE o.name = g.name
    RETURNING extract(epoch FROM greatest(coalesce(g.next_permit_at, g.at), g.at) - g.at), 1 / g.new_rate
    """
)

_PUSH_BACK = text(
    """
    UPDATE billy.billy_organizations SET
        rate_threshold = CASE WHEN rate_changed_at > clock_timestamp() - interval '0.5 second' AND rate = rate_threshold
                              THEN rate_threshold ELSE greatest(coalesce(rate, :start) / 2, :slowest) END,
        rate = CASE WHEN rate_changed_at > clock_timestamp() - interval '0.5 second' AND rate = rate_threshold
                    THEN rate ELSE greatest(coalesce(rate, :start) / 2, :slowest) END,
        rate_changed_at = greatest(rate_changed_at, clock_timestamp() + make_interval(secs => :wait)),
        next_permit_at = greatest(next_permit_at, clock_timestamp() + make_interval(secs => :wait))
    WHERE name = :organization
    """
)


class RateRow:
    """The rate budget of one organization's token. Methods block for about a millisecond."""

    def __init__(self, engine: Engine, organization: str, ceiling: float) -> None:
        self._engine = engine
        self._organization = organization
        self._ceiling = ceiling

    def reserve(self, permits: int) -> Reservation:
        """Reserve that many requests in a row, in the order of asking over all processes."""
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
                },
            ).one()
        return Reservation(wait=float(row[0]), interval=float(row[1]))

    def push_back(self, seconds: float) -> None:
        """Billy refused for its limit: nobody sends for that long, and all go at half the rate afterwards."""
        with self._engine.begin() as connection:
            connection.execute(
                _PUSH_BACK,
                {"organization": self._organization, "wait": seconds, "start": START_RATE, "slowest": SLOWEST_RATE},
            )
