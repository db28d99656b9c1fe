"""Asking for a job to be taken back: refused with the reason, found under way, taken up again, or begun.

`begin_undo` is what the command, the Dagster job and programs call. An undo is a job of its own, `<job>-undo`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Engine

from billy_pipelines.bulk.context import job_folder
from billy_pipelines.bulk.lifecycle import in_progress
from billy_pipelines.bulk.options import JobOptions
from billy_pipelines.bulk.retention import too_late_to_undo
from billy_pipelines.bulk.undo_target import (
    SELECTION,
    lock_undos,
    parse_lines,
    rows_to_undo,
    selection_of,
)
from billy_pipelines.bulk.verdicts import IN_DOUBT, RESUMABLE, UNDO, State
from billy_pipelines.database.jobs import JobRow, create_job, get_job, has_written, parts_of, update_job, want_launch
from billy_pipelines.database.journal import Journal
from billy_pipelines.database.locks import job_is_alive
from billy_pipelines.database.undoing import has_rows_in, undos_of
from billy_pipelines.files.writing import make_folder
from billy_pipelines.settings import Settings

STARTING = timedelta(seconds=60)
"""How long an undo may be without a process of its own before it is taken for one that nobody will start."""


class Only(StrEnum):
    """Which rows are taken back."""

    everything = "everything"
    created = "created"
    updated = "updated"


class CannotUndo(Exception):
    """The job cannot be taken back; `code` is stable, the text says why and what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Begun(StrEnum):
    """What the asking has come to."""

    NEW = "new"
    RESUMED = "resumed"
    FOLLOWED = "followed"


@dataclass(frozen=True)
class Undo:
    """The undo job, and whether it is new, taken up again, or at work in another process."""

    job: JobRow
    begun: Begun

    def sentence(self) -> str:
        """The answer to a person."""
        target = self.job.undoes
        if self.begun is Begun.FOLLOWED:
            return f"Job {target} is being taken back right now by job {self.job.job_id}."
        if self.begun is Begun.RESUMED:
            return f"Job {self.job.job_id}, which takes back {target}, goes on."
        return f"New job {self.job.job_id} takes back {target}."


def begin_undo(
    settings: Settings,
    engine: Engine,
    job_id: str,
    *,
    lines: str = "",
    only: str = Only.everything,
    dry_run: bool = False,
    launch: bool,
) -> Undo:
    """Make the job that takes `job_id` back, or find it. `lines`: `2,5-9`, of the file; `launch` asks the sensor for
    the run.

    Raises:
        CannotUndo
    """
    try:
        lines = ",".join(f"{a}-{b}" if a != b else f"{a}" for a, b in parse_lines(lines))
        only = "" if only in ("", Only.everything) else Only(only).value
    except ValueError as error:
        raise CannotUndo("bad_lines", "Name lines like 2,5-9, and only: created or updated.") from error
    with engine.begin() as connection:
        # Two that ask at once: the second one waits here and then finds the first one's job.
        lock_undos(connection, job_id)
        target = _checked_target(settings, connection, job_id)
        whole = not (lines or only)
        if whole:
            check_parts(settings, engine, job_id)
        undos = undos_of(connection, job_id)
        newest = undos[0] if undos else None
        begun = _reception(connection, newest, (lines, only), dry_run) if newest else Begun.NEW
        if begun is Begun.FOLLOWED and newest is not None:
            return Undo(newest, begun)
        rows = rows_to_undo(engine, job_id, lines, only)
        begins = begun is Begun.NEW or newest is None or not has_written(connection, newest.job_id)
        if begins and not rows and not (whole and parts_to_undo(engine, job_id)):
            raise CannotUndo("nothing_to_undo", _nothing(target, lines, only))
        source = {SELECTION: {"lines": lines, "only": only}}
        if begun is Begun.NEW or newest is None:
            undo_id = _free_id(connection, job_id)
            create_job(connection, {"job_id": undo_id, "total_items": len(rows), **_values(target, source, dry_run)})
        else:
            undo_id = newest.job_id
            _take_up(connection, newest, source, dry_run, len(rows))
        if launch:
            want_launch(connection, undo_id)
        undo = get_job(connection, undo_id)
        assert undo is not None  # noqa: S101 - just written in this transaction
    make_folder(job_folder(settings, undo_id))
    return Undo(undo, begun)


def parts_to_undo(engine: Engine, job_id: str) -> list[JobRow]:
    """The jobs that made records on the way of this one which are still there, the last first: they go after it."""
    return [part for part in reversed(parts_of(engine, [job_id])) if rows_to_undo(engine, part.job_id)]


def check_parts(settings: Settings, engine: Engine, job_id: str) -> None:
    """What was made on a job's way is kept for a shorter time than the job may be: the whole of it is taken back only
    as long as both can be.

    Raises:
        CannotUndo
    """
    late = [part.job_id for part in parts_to_undo(engine, job_id) if too_late_to_undo(settings, part)]
    if late:
        raise CannotUndo(
            "too_late",
            f"What job {job_id} made on its way ({', '.join(late)}) is too old to be taken back: what its records were "
            f"before is not kept any longer (docs/undo.md). Nothing was changed. `billy undo {job_id} --only created` "
            "takes back the rest, without them.",
        )


def _values(target: JobRow, source: dict[str, Any], dry_run: bool) -> dict[str, Any]:
    """The row of an undo. Of its job's options it has those that are about how things are said and sent."""
    of_target = {name: target.options[name] for name in ("language", "batch_size") if name in target.options}
    return {
        "organization": target.organization,
        "resource_type": target.resource_type,
        "operation": UNDO,
        "options": JobOptions.model_validate({**of_target, "dry_run": dry_run}).model_dump(mode="json"),
        "source": source,
        "upload_name": "",
        "upload_sha256": target.job_id,  # there is no file: its identity is the job it takes back
        "undoes": target.job_id,
    }


def _take_up(connection: Connection, undo: JobRow, source: dict[str, Any], dry_run: bool, rows: int) -> None:
    """An undo goes on as it was; one that has sent nothing is made anew under its id, whatever is asked for now: what a
    dry run called reversed is not."""
    if has_written(connection, undo.job_id):
        update_job(connection, undo.job_id, launch_wanted=False)
        return
    Journal(connection.engine, undo.job_id).forget_unsent(connection)
    update_job(
        connection,
        undo.job_id,
        status=State.PENDING,
        completed_at=None,
        counts={},
        total_items=rows,
        source={**undo.source, SELECTION: {**(undo.source.get(SELECTION) or {}), **source[SELECTION]}},
        options={**undo.options, "dry_run": dry_run},
    )


def _reception(connection: Connection, undo: JobRow, selection: tuple[str, str], dry_run: bool) -> Begun:
    """What the newest undo of the job is for somebody who asks now."""
    alive = job_is_alive(connection, undo.job_id)
    if undo.status == State.PENDING or undo.launch_wanted:
        young = datetime.now(UTC) - undo.updated_at < STARTING
        return Begun.FOLLOWED if alive or young or undo.launch_wanted else Begun.RESUMED
    if alive and (in_progress(undo) or _is_at_parts(connection, undo)):
        return Begun.FOLLOWED
    if not in_progress(undo) and undo.status not in (*RESUMABLE, State.PLANNED):
        return Begun.NEW
    same = selection_of(undo) == selection and not dry_run
    if same or not has_written(connection, undo.job_id):
        return Begun.RESUMED
    if has_rows_in(connection, undo.job_id, IN_DOUBT):
        raise CannotUndo(
            "undo_unfinished",
            f"The undo {undo.job_id} of other rows broke off with requests on their way. `billy retry {undo.job_id}` "
            "finds out what became of them; then ask again.",
        )
    return Begun.NEW


def _is_at_parts(connection: Connection, undo: JobRow) -> bool:
    """Whether an undo is through with its job and at work on what was made on the way of it."""
    undos = [each for part in parts_of(connection, [undo.undoes or ""]) for each in undos_of(connection, part.job_id)]
    return any(each.status == State.PENDING or in_progress(each) for each in undos)


def _checked_target(settings: Settings, connection: Connection, job_id: str) -> JobRow:
    """The job, if it is one that can be taken back.

    Raises:
        CannotUndo
    """
    target = get_job(connection, job_id)
    if target is None:
        raise CannotUndo("no_such_job", f"There is no job {job_id!r}. `billy status` lists the jobs.")
    if target.operation == UNDO:
        raise CannotUndo(
            "undo_of_undo",
            f"Job {job_id} is an undo, and an undo is not taken back. Run the file of job {target.undoes} again.",
        )
    waits = target.status == State.PLANNED and target.completed_at is not None
    alive = job_is_alive(connection, target.part_of or job_id)  # a part of a job has no lease of its own
    runs = target.status == State.PENDING or (in_progress(target) and alive)
    if runs and not (target.status == State.PENDING and has_written(connection, job_id)):
        raise CannotUndo(
            "still_running",
            f"Job {job_id} is {target.status}. Wait for its end, or `billy cancel {job_id}`; then ask again.",
        )
    if (waits or target.options.get("dry_run")) and not has_written(connection, job_id):
        raise CannotUndo(
            "only_planned", f"Job {job_id} was only planned: nothing was sent, so nothing is to be undone."
        )
    if target.status == State.UNDONE:
        by = f" by job {target.source['undone_by']}" if target.source.get("undone_by") else ""
        raise CannotUndo("already_undone", f"Job {job_id} has been taken back already{by}.")
    if too_late_to_undo(settings, target):
        raise CannotUndo(
            "too_late",
            f"Job {job_id} is too old to be taken back: what its records were before is not kept any longer "
            "(docs/undo.md). Nothing was changed.",
        )
    return target


def _nothing(target: JobRow, lines: str, only: str) -> str:
    if lines or only:
        asked = " and ".join(filter(None, (f"line {lines}" if lines else "", f"{only} rows" if only else "")))
        return (
            f"Job {target.job_id} changed nothing in {asked} that is still to be undone. results.csv names its lines."
        )
    return f"Job {target.job_id} changed nothing in Billy that is still to be undone."


def _free_id(connection: Connection, job_id: str) -> str:
    base = f"{job_id}-undo"
    undo_id, number = base, 1
    while get_job(connection, undo_id) is not None:
        number += 1
        undo_id = f"{base}-{number}"
    return undo_id
