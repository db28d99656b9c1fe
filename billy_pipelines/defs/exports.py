"""The snapshots of every resource as assets, from one factory: read from Billy, written, compared, made into files.

One run takes all of an organization's: one of the two places it has in the queue, whatever is due.
"""

# No "from __future__ import annotations" here: Dagster reads the context's class from the annotation itself.
import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
from dagster import InitResourceContext
from pydantic import PrivateAttr
from sqlalchemy.exc import SQLAlchemyError

from billy_pipelines import runs
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.progress import Progress
from billy_pipelines.database.connection import Database, open_database
from billy_pipelines.database.embedded import EmbeddedPostgresError
from billy_pipelines.database.engine import DatabaseUnavailable
from billy_pipelines.database.locks import Lease
from billy_pipelines.database.urls import DatabaseUrlError
from billy_pipelines.defs.heartbeat import Heartbeat
from billy_pipelines.defs.nights import NIGHTS, ORGANIZATIONS, TIMEZONE, Night, requests_for, today
from billy_pipelines.defs.snapshot_page import check_results, check_specs, metadata_of
from billy_pipelines.defs.stopping import StopSwitch, run_stoppable
from billy_pipelines.exports.nightly import finish_night
from billy_pipelines.exports.summary import summarize
from billy_pipelines.exports.taking import take_snapshot
from billy_pipelines.files.snapshots import Snapshot, SnapshotDamaged, newest_snapshot
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.schemas.resource import Resource
from billy_pipelines.settings import Settings, SettingsError

GROUP = "snapshots"
READ = "read"
"""The one status a record has while a list is read; the bar of the log line counts it as done."""
FRESH_BY = "0 6 * * *"
FRESH_SINCE = timedelta(hours=2)


class SnapshotSession(dg.ConfigurableResource["SnapshotSession"]):
    """One run's database, and its lease: the sweep reports a run as failed when its lease is free (R5)."""

    _settings: Settings | None = PrivateAttr(default=None)
    _database: Database | None = PrivateAttr(default=None)
    _lease: Lease | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator["SnapshotSession"]:
        """Open for a run; nothing is touched before a step asks."""
        try:
            yield self
        finally:
            if self._lease is not None:
                self._lease.release()
            if self._database is not None:
                self._database.close()

    def open(self, context: dg.AssetExecutionContext, night: Night) -> tuple[Settings, Database]:
        """Settings and database. The first step of a run takes the lease, and tags the run as ours."""
        if self._settings is None or self._database is None:
            self._settings = Settings.from_environment()
            self._database = open_database(self._settings)
            name = f"snapshots-{context.run.run_id[:8]}"
            self._lease = Lease(self._database.engine, name)
            self._lease.take_job()
            tags = {runs.JOB_TAG: name, "billy/organization": night.organization}
            context.instance.add_run_tags(context.run.run_id, tags)
        return self._settings, self._database


class SnapshotHeartbeat(Heartbeat):
    """The heartbeat of a run that has no job row, and whose four lists have no percentage in common."""

    def _tell_job(self) -> None:
        return

    def _tell_tag(self) -> None:
        return


def build_snapshot(resource: Resource[Any]) -> dg.AssetsDefinition:
    """The snapshot asset of one resource."""
    key = dg.AssetKey([resource.name, "snapshot"])

    @dg.asset(
        key=key,
        partitions_def=NIGHTS,
        group_name=GROUP,
        check_specs=check_specs(key),
        # Judged for all organizations together: the newest of any counts. What failed stands on runs and partitions.
        freshness_policy=dg.FreshnessPolicy.cron(FRESH_BY, FRESH_SINCE, TIMEZONE),
        description=f"All {resource.name} of an organization as they stood in Billy that night, archived ones too.",
    )
    def snapshot(context: dg.AssetExecutionContext, nights: SnapshotSession) -> Iterator[dg.MaterializeResult[None]]:
        night = _night(context)
        with _failing_in_words(night, resource.name):
            settings, database = nights.open(context, night)
            taken = _read(context, settings, database, night, resource.name)
            nightly = finish_night(settings, taken)
            summary = summarize(taken, names=settings.preview_names)
        yield dg.MaterializeResult(
            metadata=metadata_of(nightly, summary), check_results=check_results(summary, nightly.before)
        )

    return snapshot


def _night(context: dg.AssetExecutionContext) -> Night:
    """The partition of the run, which must be today's: an old one is never filled with what is in Billy now."""
    key = context.partition_key
    assert isinstance(key, dg.MultiPartitionKey)  # noqa: S101 - the partitions are ours
    night = Night(date.fromisoformat(key.keys_by_dimension["date"]), key.keys_by_dimension["organization"])
    if night.day != today():
        raise dg.Failure(
            f"The night of {night.day} cannot be taken any more: Billy only tells how things are now. "
            f"Launch {Night(today(), night.organization).key} instead. Nothing was read.",
            allow_retries=False,
        )
    return night


def _read(
    context: dg.AssetExecutionContext, settings: Settings, database: Database, night: Night, resource: str
) -> Snapshot:
    """Take the snapshot with the run's log alive, and stop when somebody asks.

    Raises:
        Halted, SettingsError, DagsterExecutionInterruptedError
    """
    progress = Progress(phase=f"reading {resource}", sync_started=time.monotonic())
    switch = StopSwitch()
    taken: list[Snapshot] = []

    def on_progress(read: int, total: int | None) -> None:
        progress.total = total or 0
        progress.statuses[READ] = read

    async def work(stop: asyncio.Event) -> None:
        reading = asyncio.ensure_future(
            take_snapshot(settings, database.engine, night.organization, resource, night.day, on_progress=on_progress)
        )
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait((reading, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if reading.done():
            taken.append(reading.result())
            return
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading

    with SnapshotHeartbeat(context, database.engine, "", progress, switch):
        run_stoppable(switch, work)
    if not taken:
        raise dg.DagsterExecutionInterruptedError
    return taken[0]


@contextmanager
def _failing_in_words(night: Night, resource: str) -> Iterator[None]:
    """What a person can put right ends the step with a sentence, and with what is left to work with."""
    try:
        yield
    except Halted as error:
        text = f"{error.code}: {error}"
    except (SettingsError, DatabaseUrlError) as error:
        text = f"bad_setting: {error}"
    except (DatabaseUnavailable, EmbeddedPostgresError) as error:
        text = f"database_unavailable: {error}"
    except SQLAlchemyError:
        text = "database_gone: PostgreSQL failed. Start it again."
    except SnapshotDamaged as error:
        text = f"snapshot_damaged: {error}"
    except OSError as error:
        text = f"file_error: a file of the night cannot be written: {error.strerror or type(error).__name__}."
    else:
        return
    raise dg.Failure(f"{text} {_last_good(night.organization, resource)}", allow_retries=False)


def _last_good(organization: str, resource: str) -> str:
    try:
        newest = newest_snapshot(Settings.from_environment(), organization, resource)
    except SettingsError:
        return ""
    if newest is None:
        return f"There is no snapshot of these {resource} yet."
    about = newest.manifest
    return f"The last good snapshot is of {about.day} ({about.records:,} {resource}); nothing has touched it."


snapshots_job = dg.define_asset_job(
    "snapshots",
    selection=dg.AssetSelection.groups(GROUP),
    executor_def=dg.in_process_executor,
    # Below imports, which somebody waits for; the same in the queue as in the order of steps.
    tags={"dagster/priority": "-10"},
    description="One organization's customers, contacts, products and invoices as they stand in Billy now.",
)


@dg.schedule(
    job=snapshots_job,
    name="nightly_snapshots",
    cron_schedule="15 4 * * *",
    execution_timezone=TIMEZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night at 04:15 Danish time, a time that every night has once.",
)
def snapshots_schedule(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
    """A run for each organization of `organizations.yaml`, as it is now."""
    organizations = sorted(Settings.from_environment().organizations())
    context.instance.add_dynamic_partitions(ORGANIZATIONS, organizations)
    return requests_for(context.scheduled_execution_time, datetime.now(UTC), organizations)


snapshot_assets = [build_snapshot(resource) for resource in RESOURCES.values() if resource.export is not None]
