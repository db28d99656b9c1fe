"""Sub-jobs on record: what each is carried out with, what its rows stand for, and how many records were made."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, func

from billy_pipelines.bulk.context import JobContext
from billy_pipelines.bulk.options import JobOptions
from billy_pipelines.bulk.verdicts import CREATE, OPEN, State, Verdict
from billy_pipelines.database.items import Item
from billy_pipelines.database.jobs import parts_of, update_job
from billy_pipelines.schemas.registry import RESOURCES


class PartRow:
    """A row of a sub-job, and the placeholder of its record."""

    def __init__(self, resource: str, identifier: str, row: Item) -> None:
        self.resource = resource
        self.resource_singular = RESOURCES[resource].singular
        self.id = identifier
        self.row = row
        self.billy_id = row.billy_id if row.status == Verdict.CREATED else None


def made_counts(engine: Engine, job_id: str) -> dict[str, dict[str, int]]:
    """Of each sub-job's resource: how many records are made, and how many are planned."""
    return {
        row.resource_type: {
            "made": row.counts.get(Verdict.CREATED, 0),
            "planned": row.planned.get(CREATE, 0) if row.status == State.PLANNED else 0,
            "failed": row.counts.get(Verdict.FAILED, 0),
        }
        for row in parts_of(engine, [job_id])
    }


def options_of(job: JobContext) -> dict[str, Any]:
    """A sub-job is carried out as its job is; it makes records and changes none."""
    own = job.options
    options = JobOptions(
        language=own.language,
        batch_size=own.batch_size,
        continue_on_error=own.continue_on_error,
        bulk_save=own.bulk_save,
        dry_run=own.dry_run,
    )
    return options.model_dump(mode="json")


def is_open(job: JobContext) -> bool:
    """Whether it has rows that are to be planned."""
    return bool(job.journal.leaders(OPEN, limit=1))


def begun(job: JobContext) -> None:
    """It is being carried out from now on."""
    update_job(job.engine, job.job_id, status=State.PROCESSING, started_at=func.clock_timestamp(), completed_at=None)
