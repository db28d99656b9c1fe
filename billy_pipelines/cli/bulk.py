"""`billy import`, `billy retry`: a job in the foreground, as a real run of the same Dagster job the sensor starts."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from sqlalchemy.exc import DBAPIError

from billy_pipelines.bulk.applying import NotApplicable, apply_plan
from billy_pipelines.bulk.context import job_folder
from billy_pipelines.bulk.document import exit_code, job_document
from billy_pipelines.bulk.intake import Received, Reception, Refused, is_forgotten, receive
from billy_pipelines.bulk.lifecycle import as_it_stands
from billy_pipelines.bulk.options import FIELDS, OptionsError, check_policy, parse_options
from billy_pipelines.bulk.rereading import reads_otherwise
from billy_pipelines.bulk.uploads import options_of
from billy_pipelines.bulk.verdicts import RETRIABLE, UNDO, State
from billy_pipelines.cli.common import WRONG_USE, CommandFailed, command, database, error_console, print_json
from billy_pipelines.cli.option_flags import given as given_options
from billy_pipelines.cli.option_flags import option_flags
from billy_pipelines.cli.progress_bar import JobBar
from billy_pipelines.cli.watching import follow_job, summary
from billy_pipelines.database.connection import Database
from billy_pipelines.database.jobs import JobRow, get_job
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance

RUN_LOG = "run.log"
ABANDONED_SECONDS = 10.0
"""Without a process for that long, a job is left alone: a lease that broke is taken again sooner."""


def _operation(name: str, text: str) -> click.Command:
    """`billy import|update|delete FILE`: one command for each operation, all the same way."""

    @click.command(
        name, help=f"{text}\n\nRuns in the foreground and needs nothing else running. Ctrl-C cancels it for good."
    )
    @click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--resource", required=True, type=click.Choice(list(RESOURCES)), help="What the rows are.")
    @click.option("--organization", default="default", show_default=True, help="Whose books.")
    @click.option("--again", is_flag=True, help="Run a file again that was completed before.")
    @option_flags(FIELDS)
    @command
    def run(file: Path, resource: str, organization: str, again: bool, as_json: bool, **flags: Any) -> int:
        try:
            beside, again_beside = options_of(file, folder=False)
        except OptionsError as error:
            raise CommandFailed("bad_option", str(error), WRONG_USE) from error
        given = {**beside, **given_options(flags, FIELDS)}
        settings = Settings.from_environment()
        settings.token(settings.organization(organization))  # a missing token is said before anything is recorded
        with product(settings) as (opened, instance):
            try:
                received = receive(
                    settings,
                    opened.engine,
                    file.absolute(),
                    organization=organization,
                    resource=resource,
                    operation=name,
                    options=given,
                    again=again or again_beside,
                    keep=True,
                    launch=False,
                )
            except Refused as error:
                raise CommandFailed("refused", str(error), WRONG_USE) from error
            return _carry_out(settings, opened, instance, received, given, as_json)

    return run


import_ = _operation(
    "import", "Create the records of FILE in Billy; rows Billy has already are skipped (--on-existing)."
)
update = _operation("update", "Change the records of FILE in Billy: only columns the file has; nothing is created.")
delete = _operation("delete", "Delete the records FILE names in Billy; those in use are archived (--archive-if-used).")


@click.command()
@click.argument("job_id")
@click.option("--confirm-count", default=0, type=click.IntRange(0), help="The number of records, when they are many.")
@command
def apply(job_id: str, confirm_count: int, as_json: bool) -> int:
    """Carry out the plan of JOB as it is: a dry run's, a delete's or an approval's that waits. Rows changed since are
    left alone."""
    settings = Settings.from_environment()
    with product(settings) as (opened, instance):
        try:
            job = apply_plan(opened.engine, job_id, confirm_count=confirm_count, launch=False)
        except NotApplicable as error:
            raise CommandFailed("not_applicable", str(error), WRONG_USE) from error
        settings.token(settings.organization(job.organization))
        return _carry_out(settings, opened, instance, Received(job, Reception.RESUMED), {}, as_json)


@click.command()
@click.argument("job_id")
@option_flags(FIELDS)
@command
def retry(job_id: str, as_json: bool, **flags: Any) -> int:
    """Try the failed and unprocessed rows of JOB again; options may change."""
    settings = Settings.from_environment()
    with product(settings) as (opened, instance):
        job = get_job(opened.engine, job_id)
        if job is None:
            raise CommandFailed("no_such_job", f"There is no job {job_id!r}. `billy status` lists the jobs.", WRONG_USE)
        if job.part_of:
            raise CommandFailed("part_of_job", f"Job {job_id} is part of job {job.part_of}; retry that one.", WRONG_USE)
        if job.status not in RETRIABLE:
            raise CommandFailed("not_retriable", f"Job {job_id} is {job.status}; there is nothing to try again.")
        settings.token(settings.organization(job.organization))
        return _carry_out(
            settings, opened, instance, Received(job, Reception.RESUMED), given_options(flags, FIELDS), as_json
        )


@contextmanager
def product(settings: Settings) -> Iterator[tuple[Database, DagsterInstance]]:
    """Database and Dagster's instance. What died without a word is put right first (R5): its file would otherwise be
    taken for one that is being run, and waited for."""
    from billy_pipelines import runs  # imports Dagster

    # Whoever logs while there is no handler at all gets one on stderr, for good, in the middle of the bar.
    logging.getLogger().addHandler(logging.NullHandler())
    with database(settings) as opened, runs.open_instance(settings, opened) as instance:
        runs.sweep(settings, opened.engine, instance)
        yield opened, instance


def _carry_out(
    settings: Settings,
    opened: Database,
    instance: DagsterInstance,
    received: Received,
    given: dict[str, Any],
    as_json: bool,
) -> int:
    console = error_console()
    console.print(received.sentence(), markup=False)
    more: dict[str, Any] = {}
    job = received.job
    if received.reception is Reception.REPEATED:
        more = {"repeated": True, "message": received.sentence()}
    elif received.reception is Reception.FOLLOWED:
        job = follow(opened, received.job.job_id, console)
    if received.reception in (Reception.NEW, Reception.RESUMED) or _is_forgotten(opened, job):
        job = run_here(
            settings, opened, instance, received.job, console, _checked(settings, opened, received.job, given)
        )
    if as_json:
        print_json(job_document(settings, job, **more))
    else:
        summary(Console(highlight=False), settings, job)
    return exit_code(job)


def _checked(settings: Settings, opened: Database, job: JobRow, given: dict[str, Any]) -> dict[str, Any]:
    """The options given now, as plain values; a resumed job keeps its others."""
    try:
        options = parse_options({**job.options, **given}, "options").model_dump(mode="json")
        if job.operation != UNDO:  # it has none of a file's options
            check_policy(options, settings.organization(job.organization).policy, "options")
            with opened.engine.connect() as connection:
                reads_otherwise(connection, job, options)
    except OptionsError as error:
        raise CommandFailed("bad_option", str(error), WRONG_USE) from error
    return {name: options[name] for name in given}


def follow(opened: Database, job_id: str, console: Console) -> JobRow:
    """The job as another process leaves it; if that one dies, this one does not wait for ever."""
    left_since: float | None = None

    def is_abandoned(row: JobRow) -> bool:
        nonlocal left_since
        if _is_forgotten(opened, row):
            return True
        left_since = (left_since or time.monotonic()) if row.status == State.INTERRUPTED else None
        return left_since is not None and time.monotonic() - left_since > ABANDONED_SECONDS

    return follow_job(opened.engine, job_id, console=console, stop=is_abandoned)


def _is_forgotten(opened: Database, job: JobRow) -> bool:
    """Whether nobody will ever begin with it, so that whoever waits for it may."""
    if job.status != State.PENDING or job.launch_wanted:
        return False
    with opened.engine.connect() as connection:
        return is_forgotten(connection, job)


def run_here(
    settings: Settings,
    opened: Database,
    instance: DagsterInstance,
    job: JobRow,
    console: Console,
    given: dict[str, Any] | None = None,
) -> JobRow:
    """Carry a job out in the foreground, with its bar and options `given` for this run; the job as it ended."""
    from billy_pipelines import runs

    folder = job_folder(settings, job.job_id)
    with JobBar(console) as bar, _dagster_output(folder / RUN_LOG):

        def watch(_run_id: str) -> None:
            with suppress(DBAPIError):  # the run waits out a restart of PostgreSQL, and so does its bar
                if present := get_job(opened.engine, job.job_id):
                    bar.show(present)

        end = runs.execute_in_foreground(instance, job, watch, given)
    left = get_job(opened.engine, job.job_id)
    if left is None:
        raise CommandFailed("no_such_job", f"Job {job.job_id} was deleted while it ran.")
    ended = as_it_stands(opened.engine, left)
    if ended.status == State.INTERRUPTED:
        console.print(f"The run broke off before its job had ended; {folder / RUN_LOG} may tell why.", markup=False)
    if end.error is not None and not ended.errors:
        raise CommandFailed("run_failed", f"The run {end.run_id} failed: {end.error}")
    return ended


@contextmanager
def _dagster_output(path: Path) -> Iterator[None]:
    """Dagster's own lines go to `run.log` of the job: the terminal has the bar."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    log = os.fdopen(descriptor, "a", encoding="utf-8")
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    try:
        with redirect_stderr(log):
            yield
    finally:
        logging.getLogger().removeHandler(handler)
        with suppress(OSError):  # a full disk costs the log, not the news of how the job ended
            log.close()
