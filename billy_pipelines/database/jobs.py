"""Rows of `billy_bulk_jobs` and `billy_organizations`: read and written here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from billy_pipelines.database.locks import lock_key
from billy_pipelines.database.storable import storable_json
from billy_pipelines.database.tables import jobs, organizations

CHANNEL = "billy_jobs"
"""NOTIFY channel on which each heartbeat announces its job id."""


class JobRow(BaseModel):
    """One job as it stands in the table."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    organization: str
    resource_type: str
    operation: str
    status: str
    progress: float
    total_items: int
    counts: dict[str, int]
    planned: dict[str, int]
    warnings: dict[str, int]
    errors: list[dict[str, Any]]
    options: dict[str, Any]
    source: dict[str, Any]
    upload_name: str
    upload_sha256: str
    dagster_run_id: str | None
    launches: int
    launch_wanted: bool
    message: str | None
    applied_at: datetime | None = None
    undoes: str | None = None
    part_of: str | None = None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    updated_at: datetime


class OrganizationRow(BaseModel):
    """What is on record of an organization: whose books, at which address."""

    model_config = ConfigDict(frozen=True)

    name: str
    api_url: str | None
    billy_organization_id: str | None
    company_name: str | None
    registration_no: str | None


def _job(row: Row[Any]) -> JobRow:
    return JobRow.model_validate(dict(row._mapping))


_JOB_COLUMNS = [jobs.c[name] for name in JobRow.model_fields]


def get_job(engine: Engine | Connection, job_id: str) -> JobRow | None:
    """One job, or None."""
    rows = _select(engine, select(*_JOB_COLUMNS).where(jobs.c.job_id == job_id))
    return rows[0] if rows else None


def list_jobs(engine: Engine | Connection, *, statuses: Iterable[str] | None = None, limit: int = 50) -> list[JobRow]:
    """Jobs, newest first, without the sub-jobs of others (`parts_of`), which nobody runs by themselves."""
    query = select(*_JOB_COLUMNS).where(jobs.c.part_of.is_(None)).limit(limit)
    query = query.order_by(jobs.c.created_at.desc(), jobs.c.job_id.desc())
    if statuses is not None:
        query = query.where(jobs.c.status.in_(list(statuses)))
    return _select(engine, query)


def parts_of(engine: Engine | Connection, job_ids: Iterable[str]) -> list[JobRow]:
    """The sub-jobs of jobs: what was made on their way, in the order in which it was."""
    query = select(*_JOB_COLUMNS).where(jobs.c.part_of.in_(list(job_ids)))
    return _select(engine, query.order_by(jobs.c.created_at, jobs.c.job_id))


def jobs_of_upload(
    connection: Connection, organization: str, resource: str, operation: str, sha256: str
) -> list[JobRow]:
    """The jobs with this identity, newest first."""
    query = (
        select(*_JOB_COLUMNS)
        .where(
            jobs.c.organization == organization,
            jobs.c.resource_type == resource,
            jobs.c.operation == operation,
            jobs.c.upload_sha256 == sha256,
        )
        .order_by(jobs.c.created_at.desc(), jobs.c.job_id.desc())
    )
    return _select(connection, query)


_WROTE = """
SELECT j.job_id FROM billy.billy_bulk_jobs AS j
WHERE j.organization = :organization AND j.resource_type = :resource AND j.operation = :operation
    AND j.upload_sha256 = :sha256 AND j.job_id <> :job AND EXISTS (
        SELECT 1 FROM billy.billy_bulk_job_items AS i JOIN billy.billy_bulk_jobs AS of ON of.job_id = i.job_id
        WHERE (of.job_id = j.job_id OR of.part_of = j.job_id) AND i.attempts > 0 AND i.updated_at >= :since)
ORDER BY j.created_at DESC LIMIT 1
"""


def job_that_wrote(connection: Connection, job: JobRow, *, since: datetime) -> str | None:
    """Another job of the same identity that has sent something to Billy since then; None when there is none."""
    values = {
        "organization": job.organization,
        "resource": job.resource_type,
        "operation": job.operation,
        "sha256": job.upload_sha256,
        "job": job.job_id,
        "since": since,
    }
    return connection.execute(text(_WROTE), values).scalar()


def has_written(connection: Connection, job_id: str) -> bool:
    """Whether any row of a job, or of what is made on its way, was sent to Billy."""
    query = (
        "SELECT EXISTS (SELECT 1 FROM billy.billy_bulk_job_items JOIN billy.billy_bulk_jobs USING (job_id)"
        " WHERE (job_id = :job OR part_of = :job) AND attempts > 0)"
    )
    return bool(connection.execute(text(query), {"job": job_id}).scalar())


def jobs_to_launch(engine: Engine) -> list[JobRow]:
    """Jobs for which somebody wants a run that has not started yet."""
    return _select(engine, select(*_JOB_COLUMNS).where(jobs.c.launch_wanted).order_by(jobs.c.created_at))


def create_job(connection: Connection, values: Mapping[str, Any]) -> None:
    """Insert a job in state `pending`."""
    connection.execute(insert(jobs).values(status="pending", **values))


def delete_job(connection: Connection, job_id: str) -> None:
    """Remove a job and its items (only for one whose upload never arrived)."""
    connection.execute(delete(jobs).where(jobs.c.job_id == job_id))


def update_job(engine: Engine | Connection, job_id: str, **values: Any) -> None:
    """Change columns of a job and tell listeners."""
    if isinstance(engine, Engine):
        with engine.begin() as connection:
            update_job(connection, job_id, **values)
        return
    engine.execute(update(jobs).where(jobs.c.job_id == job_id).values(updated_at=func.clock_timestamp(), **values))
    engine.execute(text("SELECT pg_notify(:channel, :job)"), {"channel": CHANNEL, "job": job_id})


def tell_progress(engine: Engine, job_id: str, *, progress: float, counts: Mapping[str, int]) -> None:
    """How far a job is, for whoever looks; one that has ended has its final counts, which a late beat leaves alone."""
    with engine.begin() as connection:
        told = connection.execute(
            update(jobs)
            .where(jobs.c.job_id == job_id, jobs.c.completed_at.is_(None))
            .values(progress=progress, counts=counts, updated_at=func.clock_timestamp())
        )
        if told.rowcount:
            connection.execute(text("SELECT pg_notify(:channel, :job)"), {"channel": CHANNEL, "job": job_id})


def server_time(engine: Engine) -> datetime:
    """What time it is for the database."""
    with engine.connect() as connection:
        now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return now


def want_launch(connection: Connection, job_id: str) -> None:
    """Ask the sensor for a run of this job. Each asking has a number of its own, which becomes the run key."""
    update_job(connection, job_id, launch_wanted=True, launches=jobs.c.launches + 1)


def change_status(connection: Connection, job_id: str, *, expected: Iterable[str], new: str, **values: Any) -> bool:
    """Move a job from one of the expected states to a new one; False when it was in another (nothing is changed)."""
    result = connection.execute(
        update(jobs)
        .where(jobs.c.job_id == job_id, jobs.c.status.in_(list(expected)))
        .values(status=new, updated_at=func.clock_timestamp(), **values)
    )
    connection.execute(text("SELECT pg_notify(:channel, :job)"), {"channel": CHANNEL, "job": job_id})
    return bool(result.rowcount)


def mirror_organization(connection: Connection, name: str) -> OrganizationRow:
    """Make sure there is a row for the organization, and return it locked until the transaction ends."""
    connection.execute(upsert(organizations).values(name=name).on_conflict_do_nothing())
    columns = [organizations.c[field] for field in OrganizationRow.model_fields]
    row = connection.execute(select(*columns).where(organizations.c.name == name).with_for_update()).one()
    return OrganizationRow.model_validate(dict(row._mapping))


def organizations_of_company(connection: Connection, billy_organization_id: str) -> list[str]:
    """Names under which a company is on record, the oldest first; until the transaction ends nobody else learns them,
    so that two first jobs of one company do not both find none."""
    key = lock_key("company", billy_organization_id)
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
    query = select(organizations.c.name).where(organizations.c.billy_organization_id == billy_organization_id)
    return list(connection.execute(query.order_by(organizations.c.created_at, organizations.c.name)).scalars())


def record_organization(connection: Connection, name: str, **values: str | None) -> None:
    """Record whose books an organization's token opens."""
    connection.execute(
        update(organizations).where(organizations.c.name == name).values(updated_at=func.now(), **values)
    )


def add_error(engine: Engine, job_id: str, code: str, message: str) -> None:
    """Put an error on the job itself (not on a row)."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE billy.billy_bulk_jobs SET errors = errors || CAST(:error AS jsonb),"
                " updated_at = clock_timestamp() WHERE job_id = :job"
            ),
            {"error": storable_json([{"code": code, "message": message}]), "job": job_id},
        )


def _select(engine: Engine | Connection, query: Any) -> list[JobRow]:
    if isinstance(engine, Connection):
        return [_job(row) for row in engine.execute(query)]
    with engine.connect() as connection:
        return [_job(row) for row in connection.execute(query)]
