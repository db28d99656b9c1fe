"""The nightly maintenance: what is over its time goes, in three steps that do not need each other (rule B26).

Dagster never removes a run by itself (dagster #33785), and each keeps up to 2 MB of events; ticks go by `dagster.yaml`.
Nor does it remove, with a run, what the run's checks said.
"""

# No "from __future__ import annotations" here: Dagster reads the context's class from the annotation itself.
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError

from billy_pipelines import runs
from billy_pipelines.bulk.retention import IMAGES, is_open, was_pruned
from billy_pipelines.database.connection import Database, open_database
from billy_pipelines.database.pruning import forget_checks_of_gone_runs, known_jobs
from billy_pipelines.defs.nights import TIMEZONE, night_of
from billy_pipelines.exports import maintenance
from billy_pipelines.files.snapshots import snapshot_folder
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.settings import Settings, SettingsError

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
RUNS_AT_ONCE = 200
MOST_NAMED = 20


@dg.op
def prune_jobs(context: dg.OpExecutionContext) -> None:
    """Folders of jobs, and what their rows and records said."""
    with _opened() as (settings, database):
        removed = maintenance.prune_jobs(settings, database.engine)
    context.log.info(
        f"Removed the files of {removed.folders} jobs ({_megabytes(removed.bytes)}) and the images of "
        f"{removed.images_of_jobs} ({removed.rows:,} rows)."
    )
    context.add_output_metadata(
        {
            "job_folders_removed": removed.folders,
            "megabytes_freed": _megabytes(removed.bytes),
            "jobs_without_images_now": removed.images_of_jobs,
            "rows_without_images_now": removed.rows,
            "closed_as_nobody_resumed": len(removed.closed),
            "first_closed": sorted(removed.closed)[:MOST_NAMED],
            "kept_in_doubt": len(removed.kept_in_doubt),
            "first_kept_in_doubt": sorted(removed.kept_in_doubt)[:MOST_NAMED],
            "not_removable": sorted(removed.not_removable)[:MOST_NAMED],
        }
    )


@dg.op
def prune_snapshots(context: dg.OpExecutionContext) -> None:
    """Nights of snapshots, with the files made of them."""
    with _opened() as (settings, _database):
        removed = maintenance.prune_snapshots(settings)
    context.log.info(f"Removed {removed.nights} nights of snapshots ({_megabytes(removed.bytes)}).")
    context.add_output_metadata(
        {
            "nights_removed": removed.nights,
            "half_written_removed": removed.leftovers,
            "megabytes_freed": _megabytes(removed.bytes),
            "not_removable": sorted(removed.not_removable)[:MOST_NAMED],
        }
    )


@dg.op
def prune_runs(context: dg.OpExecutionContext) -> None:
    """Runs of Dagster's with events, logs and what their checks said; partitions of jobs of which nothing is left."""
    with _opened() as (settings, database):
        before = datetime.now(UTC) - timedelta(days=settings.keep_runs_days)
        removed = _remove_runs(context.instance, settings, database, before)
        checks = forget_checks_of_gone_runs(database.engine, before=before)  # those that people deleted, too
        partitions = _remove_partitions(context.instance, database)
    context.log.info(f"Removed {removed} runs with their events, {checks} results of checks, {partitions} partitions.")
    context.add_output_metadata(
        {"runs_removed": removed, "check_results_removed": checks, "partitions_removed": partitions}
    )


def _remove_runs(instance: dg.DagsterInstance, settings: Settings, database: Database, before: datetime) -> int:
    """Finished runs that are old enough, but for those of jobs that can go on and of nights that are there: the
    partition of a snapshot would show as missing without its run."""
    removed, cursor = 0, None  # behind the last run that stays; one that is gone could not be found again
    while batch := instance.get_run_records(
        dg.RunsFilter(statuses=FINISHED, created_before=before), limit=RUNS_AT_ONCE, cursor=cursor
    ):
        found = [record.dagster_run for record in batch]
        jobs = known_jobs(database.engine, {run.tags[runs.JOB_TAG] for run in found if runs.JOB_TAG in run.tags})
        needed = {job.job_id for job in jobs if is_open(job)}
        for run in found:
            if run.tags.get(runs.JOB_TAG) in needed or _night_is_there(settings, run):
                cursor = run.run_id
                continue
            instance.delete_run(run.run_id)
            instance.compute_log_manager.delete_logs(prefix=[run.run_id])
            removed += 1
    return removed


def _night_is_there(settings: Settings, run: dg.DagsterRun) -> bool:
    night = night_of(run.tags)
    return night is not None and any(
        snapshot_folder(settings, night.organization, resource, night.day).is_dir() for resource in RESOURCES
    )


def _remove_partitions(instance: dg.DagsterInstance, database: Database) -> int:
    """Dagster takes 100,000 dynamic partitions and no more; a job without images and without a run needs none."""
    keys = instance.get_dynamic_partitions(runs.PARTITIONS)
    gone = [job.job_id for job in known_jobs(database.engine, keys) if was_pruned(job, IMAGES)]
    removed = 0
    for job_id in gone:
        if not instance.get_runs(dg.RunsFilter(tags={runs.JOB_TAG: job_id}), limit=1):
            instance.delete_dynamic_partition(runs.PARTITIONS, job_id)
            removed += 1
    return removed


@contextmanager
def _opened() -> Iterator[tuple[Settings, Database]]:
    """Settings and database; what a person can put right ends the step in words."""
    try:
        settings = Settings.from_environment()
        database = open_database(settings)
        try:
            yield settings, database
        finally:
            database.close()
    except SettingsError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    except SQLAlchemyError:
        raise dg.Failure("PostgreSQL failed. The next night does what is left.", allow_retries=False) from None


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


@dg.job(executor_def=dg.in_process_executor, tags={"dagster/priority": "-10"}, name="maintenance")
def maintenance_job() -> None:
    """Remove what is over its time: files and images of jobs, snapshots, runs. The settings are BILLY_KEEP_…"""
    prune_jobs()
    prune_snapshots()
    prune_runs()


maintenance_schedule = dg.ScheduleDefinition(
    name="nightly_maintenance",
    job=maintenance_job,
    cron_schedule="30 5 * * *",
    execution_timezone=TIMEZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night at 05:30, after the snapshots.",
)
