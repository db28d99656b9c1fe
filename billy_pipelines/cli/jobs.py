"""`billy status`, `billy watch`, `billy cancel`: look at jobs and stop one."""

from __future__ import annotations

from textwrap import indent
from zoneinfo import ZoneInfo

import click
from rich.console import Console

from billy_pipelines.bulk.document import exit_code, job_document
from billy_pipelines.bulk.lifecycle import as_it_stands
from billy_pipelines.cli.common import WRONG_USE, CommandFailed, command, database, error_console, print_json
from billy_pipelines.cli.progress_bar import verdicts_line
from billy_pipelines.cli.watching import follow_job, summary
from billy_pipelines.database.connection import Database
from billy_pipelines.database.jobs import JobRow, get_job, list_jobs, parts_of
from billy_pipelines.settings import Settings

_COPENHAGEN = ZoneInfo("Europe/Copenhagen")


@click.command()
@click.argument("job_id", required=False)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many jobs to list.")
@command
def status(job_id: str | None, limit: int, as_json: bool) -> int:
    """List the newest jobs, or show one JOB."""
    settings = Settings.from_environment()
    console = Console(highlight=False)
    with database(settings) as opened:
        found = [_job(opened, job_id)] if job_id else list_jobs(opened.engine, limit=limit)
        rows = [as_it_stands(opened.engine, row) for row in found]
        parts = [as_it_stands(opened.engine, row) for row in parts_of(opened.engine, [row.job_id for row in found])]
    documents = [job_document(settings, row) for row in rows]
    if as_json:
        print_json(documents[0] if job_id else {"jobs": documents})
    elif job_id:
        summary(console, settings, rows[0])
    elif not rows:
        console.print("No jobs yet. Drop a file, or run `billy import FILE --resource customers`.", markup=False)
    else:
        for row in rows:
            console.print(_lines(row), markup=False, soft_wrap=True)
            for part in (each for each in parts if each.part_of == row.job_id):
                console.print(indent(_lines(part), "    "), markup=False, soft_wrap=True)
    return 0


@click.command()
@click.argument("job_id")
@command
def watch(job_id: str, as_json: bool) -> int:
    """Follow JOB until it ends."""
    settings = Settings.from_environment()
    with database(settings) as opened:
        row = follow_job(opened.engine, _job(opened, job_id).job_id, console=error_console())
    if as_json:
        print_json(job_document(settings, row))
    else:
        summary(Console(highlight=False), settings, row)
    return exit_code(row)


@click.command()
@click.argument("job_id")
@command
def cancel(job_id: str, as_json: bool) -> int:
    """Stop JOB: nothing new is sent, what is on its way is recorded. It can be resumed with `billy retry`."""
    from billy_pipelines import runs

    settings = Settings.from_environment()
    with database(settings) as opened:
        job_id = _job(opened, job_id).part_of or job_id
        with runs.open_instance(settings, opened) as instance:
            asked = runs.cancel_job(settings, opened.engine, instance, job_id)
        row = _job(opened, job_id)
    if not asked:
        raise CommandFailed("not_running", f"Job {job_id} is {row.status}; there is nothing to cancel.")
    if as_json:
        print_json(job_document(settings, row, cancel_requested=True))
    else:
        click.echo(f"Job {job_id} is told to stop; within 10 seconds nothing more is sent.")
    return 0


def _job(opened: Database, job_id: str) -> JobRow:
    row = get_job(opened.engine, job_id)
    if row is None:
        raise CommandFailed("no_such_job", f"There is no job {job_id!r}. `billy status` lists the jobs.", WRONG_USE)
    return row


def _lines(row: JobRow) -> str:
    """A job on two lines: its id alone takes half a terminal's width."""
    when = row.created_at.astimezone(_COPENHAGEN).strftime("%Y-%m-%d %H:%M %Z")
    return (
        f"{row.job_id}  {row.status}\n    {when} · {row.progress:.0f} % of {row.total_items:,} rows{verdicts_line(row)}"
    )
