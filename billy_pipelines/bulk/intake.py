"""Taking a file in: which job is it? Recorded first, moved after, so that it is never taken twice and never lost.

A file's identity is organization + resource + operation + SHA-256 of its content (runtime.md section 3).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, text

from billy_pipelines.bulk.context import job_folder, upload_path
from billy_pipelines.bulk.options import OptionsError, check_policy, parse_options
from billy_pipelines.bulk.reading import sha256_of
from billy_pipelines.bulk.verdicts import FINISHED, RESUMABLE, State
from billy_pipelines.database.jobs import (
    JobRow,
    create_job,
    get_job,
    jobs_of_upload,
    mirror_organization,
    want_launch,
)
from billy_pipelines.database.locks import lock_key
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.settings import Settings

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
_LONGEST_ID = 100


class Refused(Exception):
    """The file cannot become a job; the text says why and what to do. It stays where it is."""


class Reception(StrEnum):
    """What a file turned out to be."""

    NEW = "new"
    RESUMED = "resumed"
    FOLLOWED = "followed"
    REPEATED = "repeated"


@dataclass(frozen=True)
class Received:
    """The job a file belongs to. `other_options`: options that differ from those the job has (rule B20)."""

    job: JobRow
    reception: Reception
    other_options: tuple[str, ...] = ()

    def sentence(self) -> str:
        """The answer to a person who dropped the file."""
        job = self.job
        day = job.created_at.astimezone(COPENHAGEN).strftime("%Y-%m-%d %H:%M")
        differs = f" Its options differ: {', '.join(self.other_options)}." if self.other_options else ""
        if self.reception is Reception.REPEATED:
            return (
                f"The same content was run on {day} as job {job.job_id} ({job.status}).{differs} Nothing was sent. "
                "To run it again, use --again, or the line 'again: true' in an options file beside it."
            )
        if self.reception is Reception.FOLLOWED:
            return f"The same content is being run right now as job {job.job_id}.{differs}"
        if self.reception is Reception.RESUMED:
            return f"Job {job.job_id} of {day} with the same content is resumed where it stopped.{differs}"
        return f"New job {job.job_id}."


def receive(
    settings: Settings,
    engine: Engine,
    file: Path,
    *,
    organization: str,
    resource: str,
    operation: str,
    options: Mapping[str, Any],
    again: bool = False,
    keep: bool = False,
    launch: bool,
) -> Received:
    """Make a file a job, or find the job it is.

    `options` are those given for this file; the organization's own come below them. `keep` copies the file instead of
    moving it (a command's argument stays where it is). `launch` asks the sensor for a run.

    Raises:
        Refused: unknown organization, resource or operation, or options that cannot be used.
    """
    check_place(settings, organization, resource, operation)
    org = settings.organization(organization)
    try:
        check_policy(options, org.policy, "options")
        wanted = parse_options({**org.options, **options}, "options").model_dump(mode="json")
    except OptionsError as error:
        raise Refused(str(error)) from error
    sha256 = sha256_of(file)
    with engine.begin() as connection:
        # Two processes with the same file: the second one waits here and then finds the first one's job.
        identity = f"{organization}/{resource}/{operation}/{sha256}"
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key("identity", identity)})
        mirror_organization(connection, organization)
        known = jobs_of_upload(connection, organization, resource, operation, sha256)
        reception = Reception.NEW if again else _reception(known[0] if known else None)
        if reception is Reception.NEW:
            job_id = _free_id(connection, organization, resource, operation, sha256)
            values = {
                "organization": organization,
                "resource_type": resource,
                "operation": operation,
                "options": wanted,
                "upload_name": file.name,
                "upload_sha256": sha256,
            }
            create_job(connection, {"job_id": job_id, **values})
        else:
            job_id = known[0].job_id
        if launch and reception in (Reception.NEW, Reception.RESUMED):
            want_launch(connection, job_id)
        job = get_job(connection, job_id)
        assert job is not None  # noqa: S101 - just written or just read in this transaction
    _put_away(settings, job, file, again=reception is not Reception.NEW, keep=keep)
    differing = tuple(
        f"{name} {wanted[name]!r} instead of {job.options.get(name)!r}"
        for name in wanted
        if wanted[name] != job.options.get(name)
    )
    return Received(job, reception, differing if reception is not Reception.NEW else ())


def check_place(settings: Settings, organization: str, resource: str, operation: str) -> None:
    """Whether files for this place can be taken at all.

    Raises:
        Refused: they cannot.
    """
    if organization not in settings.organizations():
        raise Refused(
            f"There is no organization {organization!r}. Known: {', '.join(sorted(settings.organizations()))}. "
            f"Organizations are listed in {settings.data_dir / 'organizations.yaml'}."
        )
    if resource not in RESOURCES:
        raise Refused(f"There is no resource {resource!r}. Known: {', '.join(RESOURCES)}.")
    if operation not in RESOURCES[resource].operations:
        offered = ", ".join(RESOURCES[resource].operations)
        raise Refused(f"The operation {operation!r} is not offered for {resource}. Offered: {offered}.")


def _reception(job: JobRow | None) -> Reception:
    if job is None or job.status in (State.PLANNED, State.UNDONE, State.UNDONE_PARTLY):
        return Reception.NEW
    if job.status in FINISHED:
        return Reception.REPEATED
    return Reception.RESUMED if job.status in RESUMABLE else Reception.FOLLOWED


def _free_id(connection: Connection, organization: str, resource: str, operation: str, sha256: str) -> str:
    today = datetime.now(COPENHAGEN).date().isoformat()
    base = f"{today}-{organization}-{resource}-{operation}-{sha256[:8]}"[: _LONGEST_ID - 5]
    number = 1
    job_id = base
    # Different files can share eight digits: their names are told apart under one lock for all.
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key("job id", base)})
    while get_job(connection, job_id) is not None:
        number += 1
        job_id = f"{base}-{number}"
    return job_id


def _put_away(settings: Settings, job: JobRow, file: Path, *, again: bool, keep: bool) -> None:
    """Move (or copy) the file to its job. An interrupted move is finished by the next tick that sees the file."""
    folder = job_folder(settings, job.job_id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = upload_path(settings, job.job_id, job.upload_name)
    if again and target.exists() and sha256_of(target) == job.upload_sha256:
        if keep:
            return
        stamp = datetime.now(COPENHAGEN).strftime("%Y%m%d-%H%M%S-%f")
        target = folder / "again" / f"{stamp}-{target.name}"
        target.parent.mkdir(mode=0o700, exist_ok=True)
    if keep or file.stat().st_dev != folder.stat().st_dev:
        part = target.with_name(f".{target.name}.part")
        shutil.copyfile(file, part)
        _make_private(part)
        with part.open("rb") as copied:
            os.fsync(copied.fileno())
        part.replace(target)
        if not keep:
            file.unlink()
    else:
        file.replace(target)
        _make_private(target)


def _make_private(path: Path) -> None:
    try:
        path.chmod(0o600)
    except PermissionError:
        return  # a file somebody else owns, in a folder of ours: its mode is theirs to decide
