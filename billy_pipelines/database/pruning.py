"""What maintenance asks of the tables, and what it takes out of them: images and files by age, never rows or counts.

One of Dagster's own tables is among them: what it keeps of checks when it removes their run, nothing else removes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime

from sqlalchemy import Connection, Engine, func, select, text

from billy_pipelines.database.jobs import JobRow
from billy_pipelines.database.tables import jobs

_FORGET = """
UPDATE billy.billy_bulk_job_items SET item_data = NULL, changes = NULL, before_image = NULL, after_image = NULL,
    natural_key = NULL, details = NULL, error = NULL
WHERE job_id = :job AND (item_data IS NOT NULL OR changes IS NOT NULL OR before_image IS NOT NULL
    OR after_image IS NOT NULL OR natural_key IS NOT NULL OR details IS NOT NULL OR error IS NOT NULL)
"""
# Not `update_job`: its time of change is what the age is counted from.
_MARK = """
UPDATE billy.billy_bulk_jobs SET source = jsonb_set(source, '{pruned}',
    coalesce(source -> 'pruned', '{}') || jsonb_build_object(CAST(:what AS text), CAST(:at AS text)))
WHERE job_id = :job
"""
_LATEST = """
SELECT max(item_data ->> 'entryDate') FROM billy.billy_bulk_job_items
WHERE job_id = :job AND item_data ->> 'entryDate' ~ '^\\d{4}-\\d{2}-\\d{2}$'
"""
_IN_DOUBT = """
SELECT EXISTS (SELECT 1 FROM billy.billy_bulk_job_items WHERE job_id = :job AND (
    status IN ('sending', 'outcome_unknown') OR (status = 'failed' AND error_code = 'outcome_unknown')))
"""
# A check somebody reported from outside has no run, and stays.
_FORGET_CHECKS = """
DELETE FROM dagster.asset_check_executions AS of_check
WHERE of_check.run_id <> '' AND of_check.create_timestamp < :before
    AND NOT EXISTS (SELECT 1 FROM dagster.runs WHERE runs.run_id = of_check.run_id)
"""

# A job, what was made on its way, what takes any of that back, and so on: all that hang together.
_FAMILY = """
WITH RECURSIVE family (job_id) AS (
    SELECT CAST(:job AS text)
    UNION
    SELECT other.job_id FROM family, LATERAL (
        SELECT job_id FROM billy.billy_bulk_jobs WHERE undoes = family.job_id OR part_of = family.job_id
        UNION SELECT unnest(ARRAY[undoes, part_of]) FROM billy.billy_bulk_jobs WHERE job_id = family.job_id
    ) AS other WHERE other.job_id IS NOT NULL
)
SELECT job_id FROM family
"""


def jobs_with_images(engine: Engine, *, changed_before: datetime) -> list[JobRow]:
    """Jobs that were changed last before that moment and whose images are still there, oldest first."""
    columns = [jobs.c[name] for name in JobRow.model_fields]
    query = (
        select(*columns)
        .where(jobs.c.updated_at < changed_before, func.coalesce(jobs.c.source["pruned"]["images"].astext, "") == "")
        .order_by(jobs.c.updated_at)
    )
    with engine.connect() as connection:
        return [JobRow.model_validate(dict(row._mapping)) for row in connection.execute(query)]


def known_jobs(engine: Engine, job_ids: Iterable[str]) -> list[JobRow]:
    """Those of these jobs that are on record, in the order of their ids, which begin with their day."""
    columns = [jobs.c[name] for name in JobRow.model_fields]
    with engine.connect() as connection:
        found = connection.execute(select(*columns).where(jobs.c.job_id.in_(list(job_ids))).order_by(jobs.c.job_id))
        return [JobRow.model_validate(dict(row._mapping)) for row in found]


def family_of(engine: Engine, job_id: str) -> list[JobRow]:
    """The job and all that hang together with it: those made on its way, and their undos."""
    with engine.connect() as connection:
        ids = list(connection.execute(text(_FAMILY), {"job": job_id}).scalars())
    return known_jobs(engine, ids)


def forget_images(connection: Connection, job_id: str) -> int:
    """Take out of a job's rows what they and their records said; returns how many rows had something.

    Status, action, Billy id, payload hash and code of each row stay: what was done is still known, and a row without
    its data can never be sent.
    """
    return connection.execute(text(_FORGET), {"job": job_id}).rowcount


def has_rows_in_doubt(connection: Connection, job_id: str) -> bool:
    """Whether it is unknown of any row of a job what became of it in Billy."""
    return bool(connection.execute(text(_IN_DOUBT), {"job": job_id}).scalar())


def forget_checks_of_gone_runs(engine: Engine, *, before: datetime) -> int:
    """Take out what checks said before that moment in runs that are not there any more; returns how many it was.

    Dagster's `delete_run` takes a run's events and leaves these rows (1.13): some a run, 1 KB each, for ever.
    """
    moment = before.astimezone(UTC).replace(tzinfo=None)  # Dagster's columns have no time zone, and mean UTC
    with engine.begin() as connection:
        return connection.execute(text(_FORGET_CHECKS), {"before": moment}).rowcount


def mark_pruned(connection: Connection, job_id: str, what: str, at: datetime) -> None:
    """Write down in the job's `source` what was removed when."""
    connection.execute(text(_MARK), {"job": job_id, "what": what, "at": at.isoformat(timespec="seconds")})


def latest_entry_date(connection: Connection, job_id: str) -> date | None:
    """The last day any invoice of a job is dated, as far as its rows say."""
    found = connection.execute(text(_LATEST), {"job": job_id}).scalar()
    return date.fromisoformat(found) if found else None
