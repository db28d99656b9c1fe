"""Jobs that have ended, or broken off, and are old: what tests of maintenance begin with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, text

from billy_pipelines.bulk.verdicts import State, Verdict
from billy_pipelines.database.items import Outcome
from billy_pipelines.database.jobs import JobRow, get_job, update_job
from billy_pipelines.database.journal import Journal
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, numbered, run_job, take_in

NOW = datetime.now(UTC)


def done(settings: Settings, engine: Engine, folder: Path, *, name: str = "kunder.csv", rows: int = 3) -> JobRow:
    """A completed import of a few customers, with all its files."""
    file = customers_csv(folder / name, numbered(rows))
    return run_job(settings, engine, take_in(settings, engine, file).job.job_id)


def broken_off(settings: Settings, engine: Engine, folder: Path) -> JobRow:
    """An import that somebody stopped after its first row."""
    job = done(settings, engine, folder)
    Journal(engine, job.job_id).write([Outcome(index, Verdict.UNPROCESSED) for index in (1, 2)])
    update_job(engine, job.job_id, status=State.CANCELLED)
    return reread(engine, job)


def with_status(engine: Engine, job: JobRow, state: State) -> JobRow:
    """The job in another state; its age stays."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE billy.billy_bulk_jobs SET status = :state WHERE job_id = :job"),
            {"state": state, "job": job.job_id},
        )
    return reread(engine, job)


def aged(engine: Engine, job: JobRow, days: float, **values: object) -> JobRow:
    """The same job as it would stand after so many days."""
    if values:
        update_job(engine, job.job_id, **values)
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE billy.billy_bulk_jobs SET created_at = created_at - :age, started_at = started_at - :age,"
                " completed_at = completed_at - :age, updated_at = updated_at - :age WHERE job_id = :job"
            ),
            {"age": timedelta(days=days), "job": job.job_id},
        )
    return reread(engine, job)


def reread(engine: Engine, job: JobRow) -> JobRow:
    """The job as it stands now."""
    found = get_job(engine, job.job_id)
    assert found is not None
    return found
