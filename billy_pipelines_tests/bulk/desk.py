"""A desk where files are handed in, as a person or a program would, and what is on record of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from billy_pipelines.bulk.context import job_folder, upload_path
from billy_pipelines.bulk.intake import Received, receive
from billy_pipelines.database.jobs import JobRow, get_job, list_jobs, update_job
from billy_pipelines.settings import Settings

CONTENT = "name;city\nÆblehaven Prøve ApS;Århus\n"


class Desk:
    """Where files are handed in; each is written anew under its name, as a person would drop it."""

    def __init__(self, settings: Settings, engine: Engine, folder: Path) -> None:
        self.settings, self.engine, self.folder = settings, engine, folder

    def file(self, name: str = "kunder.csv", content: str = CONTENT) -> Path:
        path = self.folder / name
        path.write_text(content, encoding="utf-8")
        return path

    def hand_in(self, file: Path | None = None, *, organization: str = "default", **more: Any) -> Received:
        options = {name: more.pop(name) for name in list(more) if name not in ("again", "keep", "launch")}
        place = {"organization": organization, "resource": "customers", "operation": "import"}
        how: dict[str, Any] = {"launch": True, **place, **more}
        return receive(self.settings, self.engine, file or self.file(), options=options, **how)

    def upload(self, job: JobRow) -> Path:
        """Where the job's upload is to be."""
        return upload_path(self.settings, job.job_id, job.upload_name)

    def change(self, job: JobRow, **values: Any) -> None:
        update_job(self.engine, job.job_id, **values)

    def make_old(self, job: JobRow) -> None:
        """As if the job had been recorded an hour ago."""
        self.change(job, created_at=datetime.now(UTC) - timedelta(hours=1))

    def job(self, job_id: str) -> JobRow:
        job = get_job(self.engine, job_id)
        assert job is not None
        return job

    def jobs(self) -> list[str]:
        return [job.job_id for job in list_jobs(self.engine)]

    def kept(self, job: JobRow) -> list[str]:
        """The files in the job's folder, by their paths in it."""
        folder = job_folder(self.settings, job.job_id)
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
