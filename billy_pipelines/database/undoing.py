"""What undo asks of the tables: which rows of a job changed something, and what earlier undos have taken back."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, select, text

from billy_pipelines.database.jobs import JobRow
from billy_pipelines.database.tables import jobs

_CHANGED = """
SELECT i.item_index, i.line, i.leader_index, i.natural_key, l.status, l.action, l.billy_id, l.error_code,
    l.before_image, l.after_image
FROM billy.billy_bulk_job_items AS i
JOIN billy.billy_bulk_job_items AS l ON l.job_id = i.job_id AND l.item_index = coalesce(i.leader_index, i.item_index)
WHERE i.job_id = :job AND (
    l.status IN ('created', 'updated', 'archived', 'deleted', 'sending', 'outcome_unknown')
    OR (l.status IN ('valid', 'planned') AND l.action = 'update' AND l.after_image IS NOT NULL)
    OR (l.status = 'failed' AND (l.error_code IN ('partly_changed', 'outcome_unknown')
        OR (l.action IN ('create', 'approve') AND l.billy_id IS NOT NULL))))
ORDER BY i.item_index DESC
"""
# A row of an undo has the index of the job's row counted from the end: that stays when images are removed (rule B26).
_TAKEN_BACK = """
SELECT (SELECT max(t.item_index) FROM billy.billy_bulk_job_items AS t WHERE t.job_id = :job) - i.item_index,
    l.status, l.billy_id, l.error_code, l.error, l.action
FROM billy.billy_bulk_job_items AS i
JOIN billy.billy_bulk_jobs AS j ON j.job_id = i.job_id
JOIN billy.billy_bulk_job_items AS l ON l.job_id = i.job_id AND l.item_index = coalesce(i.leader_index, i.item_index)
WHERE j.undoes = :job AND NOT coalesce((j.options ->> 'dry_run')::boolean, false)
ORDER BY j.created_at, j.job_id, i.item_index
"""
_UNDONE_PARTLY = """
SELECT job_id FROM billy.billy_bulk_jobs
WHERE organization = :organization AND resource_type = :resource AND operation = :operation
    AND upload_sha256 = :sha256 AND job_id <> :job AND status IN ('undone_partly', 'undoing') AND part_of IS NULL
ORDER BY created_at
"""
# A JSON text can be all one line, so rows of the same content are known by line and place among the rows of that line.
# What is asked of a row that stands for a record holds for all its rows, however each reading has grouped them.
_MADE = """
WITH placed AS (
    SELECT job_id, item_index, coalesce(leader_index, item_index) AS leader, line,
        row_number() OVER (PARTITION BY job_id, line ORDER BY item_index) AS place
    FROM billy.billy_bulk_job_items WHERE job_id IN (:mine, :job)
)
SELECT mine.leader, theirs.item_index, l.billy_id FROM placed AS theirs
JOIN placed AS mine ON mine.job_id = :mine AND mine.line = theirs.line AND mine.place = theirs.place
JOIN billy.billy_bulk_job_items AS l ON l.job_id = :job AND l.item_index = theirs.leader
WHERE theirs.job_id = :job AND l.action IN ('create', 'approve') AND (l.billy_id IS NOT NULL
    OR l.status IN ('sending', 'outcome_unknown') OR (l.status = 'failed' AND l.error_code = 'outcome_unknown'))
ORDER BY theirs.item_index
"""
_NOTE = """
UPDATE billy.billy_bulk_jobs SET source = source || jsonb_build_object('undone_by', CAST(:by AS text))
WHERE job_id = :job
"""


@dataclass(frozen=True)
class ChangedRow:
    """A row of a job that changed something in Billy, or may have. What it shares with others of one record is that
    record's: status, action, id, images."""

    item_index: int
    line: int
    leader_index: int | None
    natural_key: str | None
    status: str
    action: str | None
    billy_id: str | None
    error_code: str | None
    before_image: dict[str, Any] | None
    after_image: dict[str, Any] | None


@dataclass(frozen=True)
class TakenBack:
    """How the undo of a row ended, by the last undo that had it."""

    status: str
    billy_id: str | None
    error_code: str | None
    error: str | None
    action: str | None


@dataclass(frozen=True)
class Left:
    """What a job of the same content has left of a row after its undo."""

    job_id: str
    billy_ids: tuple[str, ...] = ()
    """Records it made that were not taken back; a person can have deleted them since."""
    in_doubt: bool = False
    """It may have made one: nobody could tell what became of its request."""


def changed_rows(engine: Engine | Connection, job_id: str) -> list[ChangedRow]:
    """The rows of a job that changed something, the last of them first."""
    with nullcontext(engine) if isinstance(engine, Connection) else engine.connect() as connection:
        return [ChangedRow(*row) for row in connection.execute(text(_CHANGED), {"job": job_id})]


def taken_back(engine: Engine, job_id: str) -> dict[int, TakenBack]:
    """What all undos of a job have made of its rows, by item index; one that was reversed once stays so."""
    found: dict[int, TakenBack] = {}
    with engine.connect() as connection:
        for of, *rest in connection.execute(text(_TAKEN_BACK), {"job": job_id}):
            if of not in found or found[of].status != "reversed":
                found[of] = TakenBack(*rest)
    return found


def undos_of(connection: Connection, job_id: str) -> list[JobRow]:
    """The undo jobs of a job, newest first."""
    columns = [jobs.c[name] for name in JobRow.model_fields]
    query = select(*columns).where(jobs.c.undoes == job_id)
    query = query.order_by(jobs.c.created_at.desc(), jobs.c.job_id.desc())
    return [JobRow.model_validate(dict(row._mapping)) for row in connection.execute(query)]


def rows_left_in_billy(engine: Engine, job: JobRow) -> dict[int, Left]:
    """What other jobs of the same content made, or may have made, and their undos did not take back; by the index of
    this job's row that stands for the record."""
    values = {
        "organization": job.organization,
        "resource": job.resource_type,
        "operation": job.operation,
        "sha256": job.upload_sha256,
        "job": job.job_id,
    }
    left: dict[int, Left] = {}
    with engine.connect() as connection:
        for other in [] if job.part_of else list(connection.execute(text(_UNDONE_PARTLY), values).scalars()):
            back = {index for index, each in taken_back(engine, other).items() if each.status == "reversed"}
            for leader, index, billy_id in connection.execute(text(_MADE), {"mine": job.job_id, "job": other}):
                if index in back:
                    continue
                known = left.get(leader) or Left(other)
                ids = dict.fromkeys([*known.billy_ids, *filter(None, [billy_id])])
                left[leader] = Left(other, tuple(ids), known.in_doubt or billy_id is None)
    return left


def last_index(engine: Engine, job_id: str) -> int:
    """The index of a job's last row; -1 when it has none."""
    query = "SELECT coalesce(max(item_index), -1) FROM billy.billy_bulk_job_items WHERE job_id = :job"
    with engine.connect() as connection:
        return int(connection.execute(text(query), {"job": job_id}).scalar_one())


def note_undo(connection: Connection, job_id: str, undo_id: str) -> None:
    """Write down on a job which one takes it back."""
    connection.execute(text(_NOTE), {"job": job_id, "by": undo_id})


def has_rows_in(connection: Connection, job_id: str, statuses: Collection[str]) -> bool:
    """Whether any row of a job is in one of the statuses."""
    query = "SELECT EXISTS (SELECT 1 FROM billy.billy_bulk_job_items WHERE job_id = :job AND status = ANY(:statuses))"
    return bool(connection.execute(text(query), {"job": job_id, "statuses": list(statuses)}).scalar())
