"""The item table as the write-ahead journal: one row per input row, grouped writes, no opinion on what they mean.

Rows travel as one JSON parameter per statement (`jsonb_to_recordset`), so 500 changes cost one round trip.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Engine, and_, case, func, null, select, text

from billy_pipelines.database.items import Before, Item, NewItem, Outcome, PlannedItem, Sending, Unsent
from billy_pipelines.database.storable import storable_json
from billy_pipelines.database.tables import items

CHUNK = 5000


_leaders = items.alias("leaders")
_SHARED = ("status", "action", "billy_id", "attempts", "error_code", "error")
"""What a row that is part of another's record has from it."""


_BEGUN = items.c.after_image.is_not(None)


def _column(name: str) -> Any:
    if name == "begun":
        return case((items.c.leader_index.is_(None), _BEGUN), else_=_leaders.c.after_image.is_not(None)).label(name)
    if name in _SHARED:
        return case((items.c.leader_index.is_(None), items.c[name]), else_=_leaders.c[name]).label(name)
    return items.c[name]


_COLUMNS = [_column(name) for name in Item.__dataclass_fields__]
_BRIEF = [null() if name in ("item_data", "before_image") else _column(name) for name in Item.__dataclass_fields__]
_STATUS = _column("status")
_WITH_LEADERS = items.outerjoin(
    _leaders, and_(_leaders.c.job_id == items.c.job_id, _leaders.c.item_index == items.c.leader_index)
)

_INSERT = """
INSERT INTO billy.billy_bulk_job_items
    (job_id, item_index, line, leader_index, item_data, status, natural_key, error_code, error, details)
SELECT :job, r.item_index, r.line, r.leader_index, r.item_data, r.status, r.natural_key, r.error_code, r.error,
    r.details
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(item_index int, line int, leader_index int, item_data jsonb,
    status text, natural_key text, error_code text, error text, details jsonb)
ON CONFLICT (job_id, item_index) DO NOTHING
"""

# The image of before belongs to the one of after: once a part of a change is in Billy, it stays what it was before that
# part. Until then each try has its own, of the record as it was read for it: people may have worked on it in between.
_PLAN = """
UPDATE billy.billy_bulk_job_items AS i SET status = r.status, action = r.action, billy_id = r.billy_id,
    changes = r.changes, before_image = CASE
        WHEN i.after_image IS NOT NULL AND i.billy_id = r.billy_id THEN i.before_image ELSE r.before_image END,
    error_code = r.error_code, error = r.error, details = r.details,
    item_data = coalesce(r.item_data, i.item_data), updated_at = clock_timestamp()
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(item_index int, status text, action text, billy_id text,
    item_data jsonb, changes jsonb, before_image jsonb, error_code text, error text, details jsonb)
WHERE i.job_id = :job AND i.item_index = ANY(:indexes) AND i.item_index = r.item_index
"""

_SENDING = """
UPDATE billy.billy_bulk_job_items AS i SET status = 'sending', payload_hash = r.payload_hash,
    action = coalesce(r.action, i.action), attempts = i.attempts + 1, sent_at = clock_timestamp(),
    updated_at = clock_timestamp(), error_code = NULL, error = NULL
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(item_index int, payload_hash text, action text)
WHERE i.job_id = :job AND i.item_index = ANY(:indexes) AND i.item_index = r.item_index
"""

_OUTCOME = """
UPDATE billy.billy_bulk_job_items AS i SET status = r.status, billy_id = coalesce(r.billy_id, i.billy_id),
    before_image = CASE WHEN i.after_image IS NOT NULL THEN coalesce(i.before_image, r.before_image)
        ELSE coalesce(r.before_image, i.before_image) END, after_image = coalesce(r.after_image, i.after_image),
    error_code = r.error_code, error = r.error, action = coalesce(r.action, i.action),
    updated_at = clock_timestamp()
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(item_index int, status text, billy_id text, before_image jsonb,
    after_image jsonb, error_code text, error text, action text)
WHERE i.job_id = :job AND i.item_index = ANY(:indexes) AND i.item_index = r.item_index
"""

_UNSENT = """
UPDATE billy.billy_bulk_job_items AS i SET status = r.status,
    attempts = CASE WHEN i.status = 'sending' THEN greatest(0, i.attempts - 1) ELSE i.attempts END,
    updated_at = clock_timestamp()
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(item_index int, status text)
WHERE i.job_id = :job AND i.item_index = ANY(:indexes) AND i.item_index = r.item_index
"""

_BEFORE = """
UPDATE billy.billy_bulk_job_items AS i SET before_image = r.before_image, updated_at = clock_timestamp()
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(item_index int, before_image jsonb)
WHERE i.job_id = :job AND i.item_index = ANY(:indexes) AND i.item_index = r.item_index
"""


class Journal:
    """The items of one job. Every write is one transaction, durable when the method returns."""

    def __init__(self, engine: Engine, job_id: str) -> None:
        self._engine = engine
        self._job_id = job_id

    def insert(self, rows: Iterable[NewItem]) -> None:
        """Add the rows of the file; rows that are there already stay as they are (a resumed job)."""
        left = iter(rows)
        with self._engine.begin() as connection:
            while chunk := list(islice(left, CHUNK)):  # a million rows never exist together
                self._execute(connection, _INSERT, chunk)

    def forget_unsent(self, connection: Connection | None = None) -> None:
        """Remove all rows, unless one of them was ever sent; in the transaction of `connection` if one is given."""
        with nullcontext(connection) if connection is not None else self._engine.begin() as connection:
            connection.execute(
                text(
                    "DELETE FROM billy.billy_bulk_job_items WHERE job_id = :job AND NOT EXISTS ("
                    "SELECT 1 FROM billy.billy_bulk_job_items WHERE job_id = :job AND attempts > 0)"
                ),
                {"job": self._job_id},
            )

    def remove(self, indexes: Iterable[int]) -> None:
        """Remove rows that were never sent."""
        with self._engine.begin() as connection:
            connection.execute(
                text(
                    "DELETE FROM billy.billy_bulk_job_items WHERE job_id = :job AND item_index = ANY(:indexes)"
                    " AND attempts = 0"
                ),
                {"job": self._job_id, "indexes": list(indexes)},
            )

    def plan(self, rows: Sequence[PlannedItem]) -> None:
        """Write what the plan decided, all of it or nothing."""
        with self._engine.begin() as connection:
            for start in range(0, len(rows), CHUNK):
                self._update(connection, _PLAN, rows[start : start + CHUNK])

    def write(self, changes: Sequence[Sending | Outcome | Unsent], connection: Connection | None = None) -> None:
        """Write marks and outcomes in one transaction, outcomes of a row after its mark; or in that of `connection`."""
        with nullcontext(connection) if connection is not None else self._engine.begin() as connection:
            self._update(connection, _SENDING, [c for c in changes if isinstance(c, Sending)])
            self._update(connection, _OUTCOME, [c for c in changes if isinstance(c, Outcome)])
            self._update(connection, _UNSENT, [c for c in changes if isinstance(c, Unsent)])

    def keep_before(self, images: Mapping[int, dict[str, Any]]) -> None:
        """Write down records as they are just before their write."""
        with self._engine.begin() as connection:
            self._update(connection, _BEFORE, [Before(index, image) for index, image in images.items()])

    def items(self, statuses: Iterable[str] | None = None, *, brief: bool = False) -> list[Item]:
        """The rows, in the order of the file; only those in the given statuses if any are given.

        `brief`: without what was in the file and in Billy, which is most of it and no report needs.
        """
        return self._items(statuses, _BRIEF if brief else _COLUMNS, _WITH_LEADERS, [])

    def leaders(self, statuses: Iterable[str], *, after: int = -1, limit: int | None = None) -> list[Item]:
        """The rows in the given statuses that stand for a record of their own: what can be planned and sent.

        `after`, `limit`: a page of them, those behind that item index.
        """
        own = [_BEGUN if name == "begun" else items.c[name] for name in Item.__dataclass_fields__]
        only = [items.c.leader_index.is_(None), items.c.item_index > after]
        return self._items(statuses, own, items, only, limit)

    def _items(
        self, statuses: Iterable[str] | None, columns: Any, source: Any, only: list[Any], limit: int | None = None
    ) -> list[Item]:
        query = select(*columns).select_from(source).where(items.c.job_id == self._job_id, *only)
        if statuses is not None:
            status = _STATUS if source is _WITH_LEADERS else items.c.status
            query = query.where(status.in_(list(statuses)))
        with self._engine.connect() as connection:
            return [Item(*row) for row in connection.execute(query.order_by(items.c.item_index).limit(limit))]

    def counts(self) -> dict[str, int]:
        """How many rows are in each status."""
        query = select(_STATUS, func.count()).select_from(_WITH_LEADERS).where(items.c.job_id == self._job_id)
        with self._engine.connect() as connection:
            return {str(row[0]): int(row[1]) for row in connection.execute(query.group_by(_STATUS))}

    def actions(self) -> dict[str, int]:
        """How many records have each action still to be carried out."""
        query = text(
            "SELECT action, count(*) FROM billy.billy_bulk_job_items WHERE job_id = :job AND status = 'planned'"
            " AND leader_index IS NULL GROUP BY action"
        )
        with self._engine.connect() as connection:
            return {str(row[0]): int(row[1]) for row in connection.execute(query, {"job": self._job_id})}

    def partly_written(self, statuses: Sequence[str] = ("planned",), connection: Connection | None = None) -> set[int]:
        """Changes of which a part is in Billy already (`doubts`); planned ones are finished as they were planned."""
        query = text(
            "SELECT item_index FROM billy.billy_bulk_job_items WHERE job_id = :job AND status = ANY(:statuses)"
            " AND action = 'update' AND after_image IS NOT NULL"
        )
        values = {"job": self._job_id, "statuses": list(statuses)}
        with nullcontext(connection) if connection is not None else self._engine.connect() as connection:
            return {int(row[0]) for row in connection.execute(query, values)}

    def claimed_elsewhere(self) -> set[str]:
        """Billy ids that rows of the organization's other jobs are known to have made since this job began."""
        return self._of_other_jobs("i.action = 'create' AND i.status IN ('created', 'failed')")

    def changed_elsewhere(self) -> set[str]:
        """Billy ids that rows of the organization's other jobs have changed, or may have, since this job began."""
        return self._of_other_jobs("i.action IN ('update', 'archive') AND i.attempts > 0")

    def _of_other_jobs(self, condition: str) -> set[str]:
        query = text(
            "SELECT i.billy_id FROM billy.billy_bulk_jobs AS mine JOIN billy.billy_bulk_jobs AS other"
            " ON other.organization = mine.organization AND other.job_id <> mine.job_id"
            # A job that was killed has rows that are younger than its own last word.
            " AND other.updated_at >= mine.created_at - interval '1 hour'"
            " JOIN billy.billy_bulk_job_items AS i ON i.job_id = other.job_id"
            " WHERE mine.job_id = :job AND i.billy_id IS NOT NULL AND i.updated_at >= mine.created_at"
            f" AND {condition}"
        )
        with self._engine.connect() as connection:
            return {str(row[0]) for row in connection.execute(query, {"job": self._job_id})}

    def doubted_elsewhere(self, resources: Iterable[str], seconds: float) -> bool:
        """Whether another job of the organization has rows in doubt that were sent so short a time ago: Billy may still
        be at work on them. Of these resources, which are nobody else's to write now, so that the other job is dead."""
        query = text(
            "SELECT 1 FROM billy.billy_bulk_jobs AS mine JOIN billy.billy_bulk_jobs AS other"
            " ON other.organization = mine.organization AND other.job_id <> mine.job_id"
            " AND other.resource_type = ANY(:resources) AND other.updated_at > clock_timestamp() - interval '1 day'"
            " JOIN billy.billy_bulk_job_items AS i ON i.job_id = other.job_id"
            " WHERE mine.job_id = :job AND i.status IN ('sending', 'outcome_unknown')"
            " AND i.sent_at > clock_timestamp() - make_interval(secs => :seconds) LIMIT 1"
        )
        with self._engine.connect() as connection:
            values: dict[str, Any] = {"job": self._job_id, "resources": list(resources), "seconds": seconds}
            return connection.execute(query, values).first() is not None

    def claimed_ids(self) -> set[str]:
        """Billy ids that rows of this job are already known to have made, whatever became of the row then."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                text(
                    "SELECT billy_id FROM billy.billy_bulk_job_items WHERE job_id = :job AND billy_id IS NOT NULL"
                    " AND (action = 'approve' OR (action = 'create' AND status IN ('created', 'failed')))"
                ),
                {"job": self._job_id},
            )
            return {str(row[0]) for row in rows}

    def after_image(self, item_index: int) -> dict[str, Any]:
        """The record of a row as it was left; empty where nothing is known of it."""
        query = select(items.c.after_image).where(items.c.job_id == self._job_id, items.c.item_index == item_index)
        with self._engine.connect() as connection:
            return dict(connection.execute(query).scalar() or {})

    def after_values(self, *keys: str) -> dict[int, tuple[str | None, ...]]:
        """Some values of each record as it was left, as text, by item index."""
        values = [items.c.after_image[key].astext for key in keys]
        known = items.c.after_image.is_not(None)
        query = select(items.c.item_index, *values).where(items.c.job_id == self._job_id, known)
        with self._engine.connect() as connection:
            return {int(row[0]): tuple(row[1:]) for row in connection.execute(query)}

    def followers(self) -> dict[int, int]:
        """Row that stands for a record of several rows -> how many others are part of it."""
        query = select(items.c.leader_index, func.count()).where(
            items.c.job_id == self._job_id, items.c.leader_index.is_not(None)
        )
        with self._engine.connect() as connection:
            return {int(row[0]): int(row[1]) for row in connection.execute(query.group_by(items.c.leader_index))}

    def fields(self) -> frozenset[str]:
        """The fields that some valid row says something about, those of an invoice's lines included."""
        query = text(
            "SELECT DISTINCT jsonb_object_keys(item_data) FROM billy.billy_bulk_job_items"
            " WHERE job_id = :job AND jsonb_typeof(item_data) = 'object' UNION "
            "SELECT DISTINCT jsonb_object_keys(part) FROM billy.billy_bulk_job_items, "
            "jsonb_array_elements(CASE jsonb_typeof(item_data -> 'lines') WHEN 'array' THEN item_data -> 'lines'"
            " ELSE '[]' END) AS part WHERE job_id = :job AND jsonb_typeof(part) = 'object'"
        )
        with self._engine.connect() as connection:
            return frozenset(str(name) for name in connection.execute(query, {"job": self._job_id}).scalars())

    def move(self, old: Iterable[str], new: str) -> int:
        """Move all rows from some statuses to another; returns how many."""
        with self._engine.begin() as connection:
            result = connection.execute(
                text(
                    "UPDATE billy.billy_bulk_job_items SET status = :new, updated_at = clock_timestamp()"
                    " WHERE job_id = :job AND status = ANY(:old)"
                ),
                {"job": self._job_id, "new": new, "old": list(old)},
            )
            return int(result.rowcount)

    def _update(self, connection: Connection, statement: str, rows: Sequence[Any]) -> None:
        """One change of a row is made, its last: an UPDATE that finds several takes any of them."""
        last = {row.item_index: row for row in rows}
        # Without the indexes PostgreSQL, which cannot know how many rows the JSON has, reads all of the job each time.
        if self._execute(connection, statement, list(last.values()), indexes=list(last)) != len(last):
            raise LookupError(f"Rows to change are not in the journal of job {self._job_id}; nothing was changed.")

    def _execute(self, connection: Connection, statement: str, rows: Sequence[Any], **more: Any) -> int:
        if not rows:
            return 0
        payload = storable_json([vars(row) for row in rows])
        return connection.execute(text(statement), {"job": self._job_id, "rows": payload, **more}).rowcount
