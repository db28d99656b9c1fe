"""Taking a file in: which job is it? Recorded first, moved after, so that it is never taken twice and never lost.

A file's identity is organization + resource + operation + SHA-256 of its content (runtime.md section 3).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, func, text

from billy_pipelines.bulk.context import job_folder, upload_path
from billy_pipelines.bulk.matching import chosen_keys
from billy_pipelines.bulk.options import (
    OptionsError,
    approves,
    check_approve,
    check_create_missing,
    check_policy,
    makes_missing,
    parse_options,
)
from billy_pipelines.bulk.reading import sha256_of
from billy_pipelines.bulk.rereading import take_up
from billy_pipelines.bulk.retention import is_closed
from billy_pipelines.bulk.verdicts import DELETE, FINISHED, RESUMABLE, State
from billy_pipelines.database.jobs import (
    JobRow,
    create_job,
    get_job,
    has_written,
    jobs_of_upload,
    mirror_organization,
    want_launch,
)
from billy_pipelines.database.locks import job_is_alive, lock_key
from billy_pipelines.files.writing import make_folder
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.settings import Settings

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
_LONGEST_ID = 100
_STARTING = timedelta(seconds=60)
"""How long a job may be without a process of its own before it is taken for one that nobody will start."""


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
                "To run it again, use --again, or the line 'again: true' in an options file beside it. A file that was "
                f"dropped is in the job's folder, under again{os.sep}."
            )
        if self.reception is Reception.FOLLOWED:
            return f"The same content is being run right now as job {job.job_id}.{differs}"
        if self.reception is Reception.RESUMED:
            differs += " Those given now hold, the rest stay as they were." if differs else ""
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
        wanted = _wanted(org.options, options, resource, operation)
        check_policy(wanted, org.policy, "options")
        chosen_keys(RESOURCES[resource], wanted["match_on"])
    except (OptionsError, ValueError) as error:
        raise Refused(str(error)) from error
    if not keep and not os.access(file.parent, os.W_OK):
        raise Refused(f"The file cannot be moved away: the folder {file.parent} is not writable for this program.")
    sha256 = sha256_of(file)
    identity = lock_key("identity", f"{organization}/{resource}/{operation}/{sha256}")
    with engine.begin() as connection:
        # Two processes with the same file: the second one waits here and then finds the first one's job.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": identity})
        mirror_organization(connection, organization)
        known = jobs_of_upload(connection, organization, resource, operation, sha256)
        standing = _never_arrived(settings, known) if again else _standing(connection, known, wanted["dry_run"])
        if standing is not None and standing.status == State.UNDOING and not is_closed(standing):
            raise Refused(
                f"Job {standing.job_id} with the same content is being taken back right now. Wait for its end; a file "
                "that lies in the upload folder is taken then by itself."
            )
        reception = _reception(connection, standing, launch=launch)
        if standing is None:
            job_id = _free_id(connection, organization, resource, operation, sha256)
            values: dict[str, Any] = {
                "organization": organization,
                "resource_type": resource,
                "operation": operation,
                "options": wanted,
                "upload_name": os.fsencode(file.name).decode(errors="replace"),
                "upload_sha256": sha256,
            }
            if operation == DELETE and not launch:
                values["applied_at"] = func.now()  # a person has typed it; a dropped file waits for one (rule B17)
            # An approval waits for `billy apply` however it came (rule B9).
            create_job(connection, {"job_id": job_id, **values})
        else:
            job_id = standing.job_id
            if reception is Reception.RESUMED:
                try:
                    take_up(connection, engine, standing, wanted, options, launch=launch)
                except OptionsError as error:
                    raise Refused(str(error)) from error
        if launch and reception in (Reception.NEW, Reception.RESUMED):
            want_launch(connection, job_id)
        job = get_job(connection, job_id)
        assert job is not None  # noqa: S101 - just written or just read in this transaction
    with engine.begin() as connection:
        # One at a time here too: two that copy to the same name would cut each other off.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": identity})
        _put_away(settings, job, file, again=reception is not Reception.NEW, keep=keep)
    before = standing.options if standing else wanted
    differing = tuple(
        f"{name} {wanted[name]!r} instead of {before.get(name)!r}"
        for name in wanted
        if wanted[name] != before.get(name)
    )
    return Received(job, reception, differing)


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


def _wanted(
    of_organization: Mapping[str, Any], options: Mapping[str, Any], resource: str, operation: str
) -> dict[str, Any]:
    """All options of a new job, as plain values. What the organization says for invoices only is for them only.

    Raises:
        OptionsError
    """
    check_approve(options, resource, operation, "options")
    check_create_missing(options, resource, operation, "options")
    elsewhere = {
        "approve": not approves(resource, operation),
        "create_missing": not makes_missing(resource, operation),
    }
    own = {name: value for name, value in of_organization.items() if not elsewhere.get(name)}
    chosen = {**own, **options}
    parsed = parse_options(chosen, "options")
    return parsed.model_copy(update=_defaults(operation, parsed.approve, chosen)).model_dump(mode="json")


def _defaults(operation: str, approve: bool, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Options whose default is another one here: deletes and approvals are all or nothing (rule B21)."""
    strict = (operation == DELETE or approve) and "max_error_rate" not in chosen
    return {"max_error_rate": 0} if strict else {}


def _standing(connection: Connection, known: list[JobRow], dry_run: bool) -> JobRow | None:
    """The newest job that still stands for this content.

    An ended dry run and an undone job do not, and neither hides an older job that does. A dry run is never resumed as a
    real job, nor a real job as a dry run. But a job that has begun to write stands whatever it is now: a second job for
    the rest of its rows would book the first ones twice.

    Raises:
        Refused: a dry run of a file that is booked in part.
    """
    for job in known:
        was_dry = bool(job.options.get("dry_run"))
        undone = job.status in (State.UNDONE, State.UNDONE_PARTLY)
        # A real job is `planned` for a moment, before its sync; one that has ended so waits for a person.
        only_planned = job.status == State.PLANNED and (was_dry or job.completed_at is not None)
        of_other_kind = job.status in RESUMABLE and was_dry != dry_run
        # A closed one cannot go on; what it has written is answered for as that of a completed one is (rule B20).
        closed = is_closed(job) and job.status not in FINISHED
        if undone or (closed and not has_written(connection, job.job_id)):
            continue
        if (only_planned or of_other_kind) and has_written(connection, job.job_id):
            if dry_run:
                raise Refused(
                    f"Job {job.job_id} with the same content is carried out in part ({job.status}); a plan of the "
                    f"whole file would not hold. `billy retry {job.job_id}` finishes it."
                )
            return job
        if not (only_planned or of_other_kind):
            return job
    return None


def _never_arrived(settings: Settings, known: list[JobRow]) -> JobRow | None:
    """A job whose process died between recording it and moving its file: `again` must not record that file twice."""
    newest = known[0] if known else None
    if newest is None or newest.status != State.PENDING:
        return None
    return None if upload_path(settings, newest.job_id, newest.upload_name).exists() else newest


def _reception(connection: Connection, job: JobRow | None, *, launch: bool) -> Reception:
    if job is None:
        return Reception.NEW
    if job.status in FINISHED or is_closed(job):
        return Reception.REPEATED
    if job.status == State.PENDING:
        forgotten = is_forgotten(connection, job) and not (launch and job.launch_wanted)
        return Reception.RESUMED if forgotten else Reception.FOLLOWED
    waits = job.status == State.PLANNED and job.completed_at is not None
    return Reception.RESUMED if waits or job.status in RESUMABLE else Reception.FOLLOWED


def is_forgotten(connection: Connection, job: JobRow) -> bool:
    """Whether a job's process may have died before its run began; nobody else would ever start it."""
    old = datetime.now(UTC) - job.created_at > _STARTING
    return job.status == State.PENDING and old and not job_is_alive(connection, job.job_id)


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
    make_folder(folder)
    target = upload_path(settings, job.job_id, job.upload_name)
    if again and target.exists() and sha256_of(target) == job.upload_sha256:
        if keep:
            return
        stamp = datetime.now(COPENHAGEN).strftime("%Y%m%d-%H%M%S-%f")
        target = folder / "again" / f"{stamp}-{target.name}"
        make_folder(target.parent)
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
