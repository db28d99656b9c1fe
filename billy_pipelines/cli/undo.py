"""`billy undo`: take a job back, in the foreground, as a real run of the same Dagster job the sensor starts."""

from __future__ import annotations

import click
from rich.console import Console

from billy_pipelines.bulk.document import exit_code, job_document
from billy_pipelines.bulk.undo import Begun, CannotUndo, Only, begin_undo
from billy_pipelines.cli.bulk import follow, product, run_here
from billy_pipelines.cli.common import FAILED, WRONG_USE, CommandFailed, command, error_console, print_json
from billy_pipelines.cli.watching import summary
from billy_pipelines.database.connection import Database
from billy_pipelines.database.jobs import JobRow, get_job, parts_of
from billy_pipelines.database.undoing import undos_of
from billy_pipelines.settings import Settings

_WRONG_USE = ("no_such_job", "bad_lines", "undo_of_undo")


@click.command()
@click.argument("job_id")
@click.option("--dry-run", is_flag=True, help="Only write undo.csv with what would happen; change nothing.")
@click.option("--lines", default="", help="Only these lines of the file, like 2,5-9.")
@click.option(
    "--only", type=click.Choice(["created", "updated"]), help="Only what JOB created, or only what it updated."
)
@command
def undo(job_id: str, dry_run: bool, lines: str, only: str | None, as_json: bool) -> int:
    """Take JOB back: what it created is deleted, what it changed gets its old values, what it archived or deleted comes
    back. What people have changed since is left alone, and named in undo.csv with the reason.

    Ctrl-C stops it; `billy retry` goes on with it.
    """
    settings = Settings.from_environment()
    console = error_console()
    with product(settings) as (opened, instance):
        known = get_job(opened.engine, job_id)
        if known is not None:
            settings.token(settings.organization(known.organization))  # a missing one is said before anything is done
        try:
            begun = begin_undo(
                settings,
                opened.engine,
                job_id,
                lines=lines,
                only=only or Only.everything,
                dry_run=dry_run,
                launch=False,
            )
        except CannotUndo as error:
            raise CommandFailed(error.code, str(error), WRONG_USE if error.code in _WRONG_USE else FAILED) from error
        console.print(begun.sentence(), markup=False)
        if begun.begun is Begun.FOLLOWED:
            row = follow(opened, begun.job.job_id, console)
            for part in _parts(opened, job_id):
                follow(opened, part.job_id, console)
        else:
            row = run_here(settings, opened, instance, begun.job, console)
        parts = _parts(opened, job_id) if not (lines or only) else []
    if as_json:
        documents = [job_document(settings, part) for part in parts]
        print_json(job_document(settings, row, **({"parts": documents} if documents else {})))
    else:
        for each in (row, *parts):
            summary(Console(highlight=False), settings, each)
    return max(map(exit_code, (row, *parts)))


def _parts(opened: Database, job_id: str) -> list[JobRow]:
    """The undos of what was made on the job's way, as they are now."""
    with opened.engine.connect() as connection:
        undos = [undos_of(connection, part.job_id) for part in parts_of(connection, [job_id])]
    return [each[0] for each in undos if each]
