"""Following a job that some other process works on, and telling how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from billy_pipelines.bulk.context import JobNotFound
from billy_pipelines.bulk.document import job_document
from billy_pipelines.bulk.lifecycle import as_it_stands
from billy_pipelines.bulk.verdicts import FINISHED, UNDO, State, Verdict
from billy_pipelines.cli.progress_bar import JobBar, verdict_table
from billy_pipelines.database.jobs import JobRow, get_job
from billy_pipelines.settings import Settings

LOOK_SECONDS = 0.3
OUTAGE_SECONDS = 60.0
_ENDS = (*FINISHED, State.PLANNED, State.FAILED, State.CANCELLED, State.UNDONE, State.UNDONE_PARTLY)


def has_ended(row: JobRow) -> bool:
    """Whether nothing more happens to a job by itself. An interrupted one is resumed; one that was asked to run again
    keeps its old state until its run begins."""
    return row.status in _ENDS and row.completed_at is not None and not row.launch_wanted


def follow_job(
    engine: Engine, job_id: str, *, console: Console, stop: Callable[[JobRow], bool] = lambda row: False
) -> JobRow:
    """Show a job's progress until it has ended, or `stop(row)` says so; the row as it stood last.

    Raises:
        JobNotFound
        DBAPIError: PostgreSQL stayed away for a minute.
    """
    row: JobRow | None = None
    answered = time.monotonic()
    told = False
    with JobBar(console) as bar:
        while True:
            try:
                row = get_job(engine, job_id)
                row = as_it_stands(engine, row) if row is not None else None
                answered = time.monotonic()
            except DBAPIError:  # PostgreSQL is started again within seconds under `billy up`
                if time.monotonic() - answered > OUTAGE_SECONDS:
                    raise
            else:
                if row is None:
                    raise JobNotFound(f"There is no job {job_id!r}. `billy status` lists the jobs.")
                bar.show(row)
                if row.status == State.INTERRUPTED and not told:
                    told = True
                    console.print("No process works on it: `billy up` resumes it, or `billy retry`.", markup=False)
            if row is not None and (has_ended(row) or stop(row)):
                return row
            time.sleep(LOOK_SECONDS)


def summary(console: Console, settings: Settings, row: JobRow) -> None:
    """How a job ended: verdicts, error rate, where its files are."""
    console.print(f"{row.job_id}: {row.status}", markup=False, soft_wrap=True)
    console.print(verdict_table(row))
    bad = row.counts.get(Verdict.REJECTED, 0) + row.counts.get(Verdict.FAILED, 0)
    if row.total_items and row.operation != UNDO:
        console.print(
            f"Error rate: {100 * bad / row.total_items:.1f} % ({bad} of {row.total_items} rows)", markup=False
        )
    if row.status == State.PLANNED:
        would = (
            ", ".join(f"{action} {number:,}" for action, number in row.planned.items() if number) or "change nothing"
        )
        if row.options.get("dry_run"):
            console.print(f"A dry run: nothing was sent. The plan would {would}.", markup=False, soft_wrap=True)
            way = f"billy undo {row.undoes}" if row.undoes else f"billy apply {row.job_id}"
            console.print(f"To carry it out{'' if row.undoes else ' as it is'}: `{way}`.", markup=False, soft_wrap=True)
        else:
            console.print(f"Nothing was sent yet. {row.message or ''}", markup=False, soft_wrap=True)
    document = job_document(settings, row)
    for word, made in (("Made", "made_on_the_way"), ("Would make", "planned_on_the_way")):
        if named := ", ".join(f"{name} {number:,}" for name, number in document.get(made, {}).items() if number):
            console.print(f"{word} on the way: {named}.", markup=False, soft_wrap=True)
    if row.status in (State.INTERRUPTED, State.CANCELLED):
        again = f"`billy retry {row.job_id}`" + ("" if row.undoes else ", or the same file once more")
        console.print(f"To go on where it stopped: {again}.", markup=False, soft_wrap=True)
    if by := document.get("undone_by"):
        console.print(f"Taken back by {by}; undo.csv says what of it.", markup=False, soft_wrap=True)
    for error in row.errors[-1:] if row.status not in FINISHED else []:
        console.print(f"{error['code']}: {error['message']}", markup=False, soft_wrap=True)
    files = document["files"]
    console.print(f"Files in {files['folder']}:", markup=False, soft_wrap=True)
    for name, path in files.items():
        if name != "folder":
            console.print(f"  {name}: {Path(path).name}", markup=False, soft_wrap=True)
