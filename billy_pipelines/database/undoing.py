"""What undo asks of the tables: which rows of a job changed something, and what earlier undos have taken back."""

from __future__ import annotations

from collections.abc import Collection
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
    AND upload_sha256 = :sha256 AND job_id <> :job AND status = 'undone_partly'
ORDER BY created_at
"""
_MADE = """
SELECT i.item_index, i.line, row_number() OVER (PARTITION BY i.line ORDER BY i.item_index) - 1,
    CASE WHEN l.action IN ('create', 'approve') THEN l.billy_id END
FROM billy.billy_bulk_job_items AS i
JOIN billy.billy_bulk_job_items AS l ON l.job_id = i.job_id AND l.item_index = coalesce(i.leader_index, i.item_index)
WHERE i.job_id = :job
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


def changed_rows(engine: Engine, job_id: str) -> list[ChangedRow]:
    """The rows of a job that changed something, the last of them first."""
    with engine.connect() as connection:
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


def rows_left_in_billy(engine: Engine, job: JobRow) -> dict[tuple[int, int], tuple[str, str]]:
    """Records that other jobs of the same content made and their undos left: line of the upload, and place among the
    rows of that line (a JSON text can be all one line) -> job and Billy id. The content is the same, so both are.
    """
    values = {
        "organization": job.organization,
        "resource": job.resource_type,
        "operation": job.operation,
        "sha256": job.upload_sha256,
        "job": job.job_id,
    }
    left: dict[tuple[int, int], tuple[str, str]] = {}
    with engine.connect() as connection:
        for job_id in list(connection.execute(text(_UNDONE_PARTLY), values).scalars()):
            back = {index for index, each in taken_back(engine, job_id).items() if each.status == "reversed"}
            for index, line, place, billy_id in connection.execute(text(_MADE), {"job": job_id}):
                if billy_id is not None and index not in back:
                    left[line, place] = (job_id, billy_id)
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
