"""What every step of a job needs to know, and where its files are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from billy_pipelines.bulk.options import JobOptions, parse_options
from billy_pipelines.database.jobs import JobRow, get_job
from billy_pipelines.database.journal import Journal
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.schemas.resource import PlanTerms, Resource
from billy_pipelines.settings import Organization, Settings


class JobNotFound(Exception):
    """There is no job of that id."""


@dataclass(frozen=True)
class JobContext:
    """One job: its row as read, its organization, its resource, its folder."""

    settings: Settings
    engine: Engine
    row: JobRow
    organization: Organization
    resource: Resource[Any]

    @property
    def job_id(self) -> str:
        return self.row.job_id

    @property
    def folder(self) -> Path:
        return job_folder(self.settings, self.job_id)

    @property
    def upload(self) -> Path:
        """The upload as it came."""
        return upload_path(self.settings, self.job_id, self.row.upload_name)

    @property
    def options(self) -> JobOptions:
        return parse_options(self.row.options, f"job {self.job_id}")

    @property
    def terms(self) -> PlanTerms:
        """What the meaning of a row depends on beside row and books."""
        options = self.options
        return PlanTerms(
            self.organization,
            self.row.operation,
            options.language.value,
            contact_by_name=options.contact_by_name,
            own_numbers=options.own_numbers,
            approve=options.approve,
            create_missing=options.create_missing,
        )

    @property
    def families(self) -> list[str]:
        """The families of records it writes, in the order in which their locks are taken."""
        makes = self.resource.makes if self.options.create_missing else ()
        return sorted({self.resource.family, *(RESOURCES[each.resource].family for each in makes)})

    @property
    def journal(self) -> Journal:
        return Journal(self.engine, self.job_id)


def job_folder(settings: Settings, job_id: str) -> Path:
    """`data/jobs/<job_id>/`."""
    return settings.jobs_dir / job_id


def upload_path(settings: Settings, job_id: str, upload_name: str) -> Path:
    """Where a job keeps the upload: under its own name, with the signs taken out that could lead elsewhere."""
    return job_folder(settings, job_id) / safe_file_name(upload_name)


def safe_file_name(name: str) -> str:
    """A file name that stays in its folder, is none of the names the job itself writes, and leaves room for what is put
    around it (a file system takes 255 bytes)."""
    plain = re.sub(r"[\x00-\x1f\x7f/\\]", "_", name).encode(errors="replace")[-120:].decode(errors="ignore")
    plain = plain.strip(" .") or "upload"
    return f"upload-{plain}" if plain in RESERVED_NAMES else plain


RESERVED_NAMES = frozenset(
    {
        "plan.csv",
        "plan.md",
        "plan_missing.csv",
        "run.log",
        "results.csv",
        "rejected.csv",
        "failed.csv",
        "unprocessed.csv",
        "report.md",
        "undo.csv",
        "credit_notes.csv",
        "again",
    }
)


def load_job(settings: Settings, engine: Engine, job_id: str) -> JobContext:
    """The job as it stands now.

    Raises:
        JobNotFound, SettingsError
    """
    row = get_job(engine, job_id)
    if row is None:
        raise JobNotFound(f"There is no job {job_id!r}. `billy status` lists the jobs.")
    return JobContext(settings, engine, row, settings.organization(row.organization), RESOURCES[row.resource_type])
