"""`undo`: a job taken back, from the command line, the sensor, or the launchpad; there it only shows what it would do
until somebody sets `dry_run` to false.
"""

# No "from __future__ import annotations" here: Dagster reads the config class from the annotation itself.
from typing import Any

import dagster as dg
from pydantic import Field
from sqlalchemy import Engine

from billy_pipelines import runs
from billy_pipelines.bulk import lifecycle
from billy_pipelines.bulk.context import job_folder, load_job
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.progress import Progress
from billy_pipelines.bulk.undo import Begun, CannotUndo, Only, begin_undo, check_parts, parts_to_undo
from billy_pipelines.bulk.undo_execution import UndoExecution
from billy_pipelines.bulk.undo_target import selection_of
from billy_pipelines.bulk.verdicts import UNDO, State, verdicts_of
from billy_pipelines.database.connection import open_database
from billy_pipelines.database.jobs import JobRow, get_job
from billy_pipelines.database.locks import Lease
from billy_pipelines.defs.framing import framed, reload
from billy_pipelines.defs.stopping import StopSwitch, run_stoppable
from billy_pipelines.settings import Settings


class UndoConfig(dg.Config):
    """What `billy undo` is told."""

    job_id: str = Field(description="The job to take back, as `billy status` and its partition name it.")
    dry_run: bool = Field(default=True, description="Only show what would happen, in undo.csv; change nothing.")
    lines: str = Field(default="", description="Only these lines of the file, like 2,5-9; empty for all.")
    only: Only = Field(default=Only.everything, description="Only what the job created, or only what it updated.")


@dg.op(name=runs.UNDO_OP, out=dg.Out(dg.Nothing))
def take_back(context: dg.OpExecutionContext, config: UndoConfig) -> None:
    """Take a job back, then what was made on its way."""
    settings = Settings.from_environment()
    database = open_database(settings)
    try:
        undo = _undo_of_run(context, config, settings, database.engine)
        switch = StopSwitch()
        parts = []
        # Held to the end of all: a sweep takes a run whose lease is free for dead, and its retry would be a second one.
        with Lease(database.engine, undo.job_id) as lease:
            _own(lease.take_job(), undo.job_id)
            row = _carry_out(context, settings, database.engine, undo.job_id, lease, switch)
            whole = config.lines == "" and config.only is Only.everything
            for part in parts_to_undo(database.engine, config.job_id) if whole else []:
                own = begin_undo(
                    settings, database.engine, part.job_id, dry_run=config.dry_run, launch=False
                ).job.job_id
                _own(lease.go_on_with(own), own)
                parts.append(_carry_out(context, settings, database.engine, own, lease, switch))
        context.add_output_metadata({name: value for each in (row, *parts) for name, value in _told(settings, each)})
    except CannotUndo as error:
        raise dg.Failure(f"{error.code}: {error}", allow_retries=False) from error
    finally:
        database.close()


@dg.job(name=runs.UNDO_JOB, executor_def=dg.in_process_executor)
def undo_job() -> None:
    """Take a job back: created records are deleted, changed ones get their old values, and nothing is touched that
    people have changed since."""
    take_back()


def _undo_of_run(context: dg.OpExecutionContext, config: UndoConfig, settings: Settings, engine: Engine) -> JobRow:
    """The undo job of this run: the one its tag names, or the one that the launchpad asks for."""
    only = "" if config.only is Only.everything else config.only.value
    tagged = context.run.tags.get(runs.JOB_TAG)
    row = get_job(engine, tagged) if tagged else None
    asked = (config.job_id, (config.lines, only), config.dry_run)
    if row is not None and (row.undoes, selection_of(row), bool(row.options.get("dry_run"))) == asked:
        if asked[1] == ("", ""):  # a retry can come when it is too late
            check_parts(settings, engine, config.job_id)
        return row
    undo = begin_undo(
        settings, engine, config.job_id, lines=config.lines, only=only, dry_run=config.dry_run, launch=False
    )
    if undo.begun is Begun.FOLLOWED:
        raise CannotUndo("undo_running", undo.sentence())
    context.instance.add_run_tags(context.run.run_id, runs.run_tags(undo.job))
    context.log.info(undo.sentence())
    return undo.job


def _own(taken: bool, undo_id: str) -> None:
    if not taken:
        text = f"Another run is working on job {undo_id} right now; this one leaves it alone."
        raise dg.Failure(text, allow_retries=False)


def _carry_out(
    context: dg.OpExecutionContext, settings: Settings, engine: Engine, undo_id: str, lease: Lease, switch: StopSwitch
) -> JobRow:
    job = load_job(settings, engine, undo_id)
    try:
        job = lifecycle.begin(job, context.run.run_id)
    except Halted as error:
        raise dg.Failure(f"{error.code}: {error}", allow_retries=False) from error
    if job.row.status == State.COMPLETED:  # before this run; it goes on with the parts
        return job.row
    progress = Progress(total=job.row.total_items, verdicts=verdicts_of(UNDO))
    progress.statuses.update(job.journal.counts())
    work = UndoExecution(job, lease, progress)
    with framed(context, work, switch):
        run_stoppable(switch, work.plan)
        if work.dry:
            return lifecycle.end_planned(reload(work))
        lifecycle.set_state(reload(work), State.PROCESSING)
        run_stoppable(switch, work.sync)
        row = lifecycle.end_completed(reload(work))
    context.log.info(progress.line())
    return row


def _told(settings: Settings, row: JobRow) -> list[tuple[str, Any]]:
    counts = ", ".join(f"{name} {number}" for name, number in row.counts.items() if number)
    files = str(job_folder(settings, row.job_id))
    return [(row.job_id, f"{row.status}: {counts}"), (f"{row.job_id} files", dg.MetadataValue.path(files))]
