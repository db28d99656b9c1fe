"""Dagster runs of bulk jobs: launch in the foreground, cancel, sweep. The only module that uses Dagster's internals.

Foreground runs are real runs (runtime.md R1): with an origin, so that Re-execute, Terminate and retries work on them.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.storage.tags import MAX_RETRIES_TAG, PARTITION_NAME_TAG
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from sqlalchemy import Engine, text

from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.lifecycle import end_cancelled, end_interrupted, in_progress
from billy_pipelines.bulk.undo_target import selection_of
from billy_pipelines.bulk.verdicts import RUNNING, UNDO, State
from billy_pipelines.database.connection import Database
from billy_pipelines.database.jobs import JobRow, list_jobs, want_launch
from billy_pipelines.database.locks import job_is_alive, lock_key
from billy_pipelines.database.undoing import undos_of
from billy_pipelines.settings import PROJECT_ROOT, Settings

LOCATION = "billy_pipelines"
DEFINITIONS_MODULE = "billy_pipelines.definitions"
PARTITIONS = "billy_uploads"
JOB_TAG = "billy/job_id"
UNDO_JOB = "undo"
"""The Dagster job that takes a job back."""
UNDO_OP = "take_back"
"""Its op; of another name, since Dagster takes one name for an op and a job for a conflict."""
PROGRESS_TAG = "billy/progress"
UNFINISHED = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
STARTING_SECONDS = 60.0
"""How long a run may take from its creation to holding its lease."""
SECOND_LOOK_SECONDS = 3.0
"""A lease is given back a moment before its run's last event; only a run that looks dead twice is dead."""

foreground_stop = threading.Event()
"""Set when a person stops the run this process executes in the foreground."""
_foreground_run: str | None = None


def job_name(resource: str) -> str:
    """The Dagster job of a resource."""
    return f"bulk_{resource}"


def job_of(job: JobRow) -> str:
    """The Dagster job that works on a job."""
    return UNDO_JOB if job.operation == UNDO else job_name(job.resource_type)


def partition_of(job: JobRow) -> str | None:
    """Its partition; an undo has none: the launchpad asks for the job to take back, not for a partition."""
    return None if job.operation == UNDO else job.job_id


def run_tags(job: JobRow) -> dict[str, str]:
    """The tags every run of a job carries."""
    return {
        JOB_TAG: job.job_id,
        "billy/organization": job.organization,
        "billy/resource": job.resource_type,
        "billy/operation": job.operation,
    }


def run_config(job: JobRow, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Run config of a job: the options given with this run, for the first asset only (R9); an undo has a selection
    instead. The others are the job's own: a run that named them all would put back what was changed since it, when it
    is re-executed."""
    if job.operation == UNDO:
        lines, only = selection_of(job)
        dry_run = bool(job.options.get("dry_run"))
        config = {"job_id": job.undoes, "dry_run": dry_run, "lines": lines, "only": only or "everything"}
        return {"ops": {UNDO_OP: {"config": config}}}
    return {"ops": {_first_op(job.resource_type): {"config": dict(given)}}} if given else {}


def options_given(config: Mapping[str, Any], resource: str) -> dict[str, Any]:
    """The options that a run of a resource's job was given, as they stand in its run config."""
    return dict(((config.get("ops") or {}).get(_first_op(resource)) or {}).get("config") or {})


def _first_op(resource: str) -> str:
    return f"{resource}__rows"


# -- the instance ------------------------------------------------------------------------------------------------------


def instance_environment(settings: Settings, database: Database) -> dict[str, str]:
    """The variables plain Dagster commands need; `billy env` prints them."""
    return {
        "DAGSTER_HOME": str(settings.dagster_home),
        "BILLY_DATA_DIR": str(settings.data_dir),
        "BILLY_DAGSTER_DATABASE_URL": database.dagster_url,
    }


def prepare_home(settings: Settings) -> None:
    """Dagster's own folder, with the instance file in it: the daemon writes its logs where DAGSTER_HOME is."""
    settings.dagster_home.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(PROJECT_ROOT / "dagster.yaml", settings.dagster_home / "dagster.yaml")


@contextmanager
def open_instance(settings: Settings, database: Database) -> Iterator[DagsterInstance]:
    """The Dagster instance the UI shows.

    One process at a time: the first one makes Dagster's tables, and two that did so at once both failed.
    """
    prepare_home(settings)
    os.environ.update(instance_environment(settings, database))
    with database.engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key("dagster", "tables")})
        opened = DagsterInstance.from_config(str(settings.dagster_home))
    with opened as instance:
        yield instance


# -- foreground --------------------------------------------------------------------------------------------------------


def is_foreground(run_id: str) -> bool:
    """Whether this process executes that run in the foreground, where a signal means: cancel."""
    return _foreground_run == run_id


@dataclass(frozen=True)
class ForegroundEnd:
    """How a foreground run ended."""

    run_id: str
    error: BaseException | None


def execute_in_foreground(
    instance: DagsterInstance,
    job: JobRow,
    watch: Callable[[str], None],
    given: Mapping[str, Any] | None = None,
    *,
    poll_seconds: float = 0.2,
) -> ForegroundEnd:
    """Execute a job as a real run in this process, with options `given` besides its own.

    Dagster works in a second thread, so that its own signal handling stays out and the main thread is free for two
    things: to turn Ctrl-C and SIGTERM into a cancellation that nothing retries (R2), and to call `watch(run_id)`.
    """
    global _foreground_run
    repository = ReconstructableRepository.for_module(DEFINITIONS_MODULE, "defs")
    reconstructable = repository.get_reconstructable_job(job_of(job))
    partition = partition_of(job)
    if partition is not None:
        instance.add_dynamic_partitions(PARTITIONS, [partition])
    origin = RemoteRepositoryOrigin(
        ManagedGrpcPythonEnvCodeLocationOrigin(
            LoadableTargetOrigin(executable_path=sys.executable, module_name=DEFINITIONS_MODULE), LOCATION
        ),
        "__repository__",
    )
    run = instance.create_run_for_job(
        reconstructable.get_definition(),
        run_config=run_config(job, given),
        tags={**run_tags(job), **({PARTITION_NAME_TAG: partition} if partition is not None else {})},
        remote_job_origin=RemoteJobOrigin(origin, job_of(job)),
        job_code_origin=reconstructable.get_python_origin(),
    )
    _foreground_run = run.run_id
    foreground_stop.clear()
    failure: list[BaseException] = []

    def work() -> None:
        try:
            execute_run(reconstructable, run, instance)
        except BaseException as error:
            failure.append(error)

    worker = threading.Thread(target=work, name="dagster-run", daemon=True)
    with _signals_cancel(instance, run.run_id):
        worker.start()
        while worker.is_alive():
            worker.join(poll_seconds)
            watch(run.run_id)
    _foreground_run = None
    return ForegroundEnd(run.run_id, failure[0] if failure else None)


@contextmanager
def _signals_cancel(instance: DagsterInstance, run_id: str) -> Iterator[None]:
    asked: list[threading.Thread] = []

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        foreground_stop.set()
        if not asked:  # a handler must not wait for a database; the run is told at once by the event above
            asked.append(threading.Thread(target=cancel_run, args=(instance, run_id), daemon=True))
            asked[0].start()

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        for thread in asked:
            thread.join(10)


# -- cancel ------------------------------------------------------------------------------------------------------------


def is_cancel_requested(instance: DagsterInstance, run_id: str) -> bool:
    """Whether somebody asked for this run to end: Terminate, force, `billy cancel`, Ctrl-C."""
    run = instance.get_run_by_id(run_id)
    return run is not None and run.status in (DagsterRunStatus.CANCELING, DagsterRunStatus.CANCELED)


def cancel_run(instance: DagsterInstance, run_id: str) -> bool:
    """Ask a run to end as CANCELED. Its heartbeat sees it within a second; nothing retries it (R2)."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return False
    if run.status == DagsterRunStatus.QUEUED:
        instance.report_run_canceled(run, message="Cancelled before it started.")
    elif run.status != DagsterRunStatus.CANCELING:
        instance.report_run_canceling(run)
    return True


def cancel_job(settings: Settings, engine: Engine, instance: DagsterInstance, job_id: str) -> bool:
    """Cancel whatever works, or would work, on a job; on one that is being taken back, that is its undo.

    Returns whether there was anything to cancel.
    """
    asked = [cancel_job(settings, engine, instance, undo) for undo in _undos_at_work(settings, engine, job_id)]
    row = load_job(settings, engine, job_id).row
    asked += [cancel_run(instance, run.run_id) for run in _runs_of(instance, row) if not run.is_finished]
    with engine.connect() as connection:
        alive = job_is_alive(connection, job_id)
    job = load_job(settings, engine, job_id)
    if not alive and _is_unfinished(job.row):
        end_cancelled(job)
        return True
    return any(asked)


def _is_unfinished(row: JobRow) -> bool:
    """Whether a process is at work on the job, or one would begin to be."""
    return row.status in (State.PENDING, State.INTERRUPTED) or in_progress(row)


def _undos_at_work(settings: Settings, engine: Engine, job_id: str) -> list[str]:
    """The undos that take a job back, or what was made on its way: one that is through with the job itself has its
    lease until the rest has ended too."""
    row = load_job(settings, engine, job_id).row
    noted = row.source.get("undone_by") if row.status == State.UNDOING else None
    with engine.connect() as connection:
        undos = undos_of(connection, job_id)
        at_work = [each.job_id for each in undos if _is_unfinished(each) or job_is_alive(connection, each.job_id)]
    return list(dict.fromkeys([*([str(noted)] if noted else []), *at_work]))


def mark_as_shut_down(instance: DagsterInstance, engine: Engine, run_id: str, job_id: str) -> None:
    """The run ends because everything is being shut down: no retry of Dagster's is used up, the sensor asks for a new
    run at the next start (R5)."""
    instance.add_run_tags(run_id, {MAX_RETRIES_TAG: "0"})
    with engine.begin() as connection:
        want_launch(connection, job_id)


def set_progress_tag(instance: DagsterInstance, run_id: str, text: str) -> None:
    """Show the progress in the Runs list."""
    instance.add_run_tags(run_id, {PROGRESS_TAG: text})


# -- sweep -------------------------------------------------------------------------------------------------------------


def sweep(settings: Settings, engine: Engine, instance: DagsterInstance, *, at_start: bool = False) -> list[str]:
    """Put right what died without a word (R5): runs of ours that nobody works on are reported failed, their jobs become
    `interrupted`. Dagster's run retry then resumes them; at the start of `billy up` the sensor does, so that restarts
    use up no retries. Returns the job ids put right."""
    suspects = _suspects(engine, instance)
    if not suspects:
        return _settle_jobs_without_run(settings, engine, instance)
    time.sleep(SECOND_LOOK_SECONDS)
    still = _suspects(engine, instance)
    swept = []
    for run_id in suspects.keys() & still.keys():
        run, job_id = still[run_id]
        if run.status == DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, message="The process was gone when the run was to be cancelled.")
        else:
            if at_start:
                instance.add_run_tags(run_id, {MAX_RETRIES_TAG: "0"})
            instance.report_run_failed(
                run, message="The process that executed this run is gone; its job can be resumed."
            )
        swept.append(job_id)
    return swept + _settle_jobs_without_run(settings, engine, instance, resume=at_start)


def _suspects(engine: Engine, instance: DagsterInstance) -> dict[str, tuple[DagsterRun, str]]:
    found = {}
    records = instance.get_run_records(RunsFilter(statuses=UNFINISHED))
    with engine.connect() as connection:
        for record in records:
            run = record.dagster_run
            job_id = run.tags.get(JOB_TAG)
            age = time.time() - record.create_timestamp.timestamp()
            young = run.status == DagsterRunStatus.STARTING and age < STARTING_SECONDS
            if job_id and not young and not is_foreground(run.run_id) and not job_is_alive(connection, job_id):
                found[run.run_id] = (run, job_id)
    return found


def _settle_jobs_without_run(
    settings: Settings, engine: Engine, instance: DagsterInstance, *, resume: bool = False
) -> list[str]:
    """Jobs in a running state without a living process become `interrupted`; pending ones whose run was cancelled
    before it began become `cancelled`."""
    settled = []
    for row in list_jobs(engine, statuses=[State.PENDING, *RUNNING], limit=1000):
        with engine.connect() as connection:
            if job_is_alive(connection, row.job_id) or (row.status != State.PENDING and not in_progress(row)):
                continue
        runs = _runs_of(instance, row)
        if any(not run.is_finished for run in runs) or (row.status == State.PENDING and not runs):
            continue
        if row.launch_wanted:
            continue
        job = load_job(settings, engine, row.job_id)
        last = runs[0].status if runs else DagsterRunStatus.FAILURE
        if last == DagsterRunStatus.CANCELED:
            end_cancelled(job)
        else:
            end_interrupted(job)
            if resume:
                with engine.begin() as connection:
                    want_launch(connection, row.job_id)
        settled.append(row.job_id)
    return settled


def _runs_of(instance: DagsterInstance, job: JobRow) -> list[DagsterRun]:
    """A job's runs, newest first. The one that took it on last can be another job's: an undo goes on with what was made
    on the way of its job."""
    found = instance.get_run_records(RunsFilter(tags={JOB_TAG: job.job_id}))
    own = {record.dagster_run.run_id for record in found}
    if job.dagster_run_id and job.dagster_run_id not in own:
        found = [*found, *instance.get_run_records(RunsFilter(run_ids=[job.dagster_run_id]))]
    return [each.dagster_run for each in sorted(found, key=lambda each: each.create_timestamp, reverse=True)]
