"""One run's session: the job it works on, its lease, and how every step of it begins and ends.

The session lives as long as the run (one process, in-process executor), so the writer lock taken by `plan` is still
held in `sync`. Whichever step runs first takes the lease: after a crash Dagster may start in the middle of the chain.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster import InitResourceContext
from pydantic import PrivateAttr

from billy_pipelines.bulk import lifecycle
from billy_pipelines.bulk.context import JobContext, JobNotFound, load_job
from billy_pipelines.bulk.execution import Execution
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.progress import Progress
from billy_pipelines.bulk.reading import Upload, read_job_upload
from billy_pipelines.bulk.verdicts import State
from billy_pipelines.database.connection import Database, open_database
from billy_pipelines.database.locks import Lease
from billy_pipelines.defs.framing import framed, reload
from billy_pipelines.defs.stopping import StopSwitch
from billy_pipelines.settings import Settings


class JobSession(dg.ConfigurableResource["JobSession"]):
    """The resource every asset of a bulk job uses."""

    _database: Database | None = PrivateAttr(default=None)
    _execution: Execution | None = PrivateAttr(default=None)
    _upload: Upload | None = PrivateAttr(default=None)
    _was_completed: bool = PrivateAttr(default=False)
    _switch: StopSwitch = PrivateAttr(default_factory=StopSwitch)

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator[JobSession]:
        """Open for a run; at its end give the lease and the connections back."""
        try:
            yield self
        finally:
            if self._execution is not None:
                self._execution.lease.release()
            if self._database is not None:
                self._database.close()

    @contextmanager
    def step(
        self, context: dg.AssetExecutionContext, options: dict[str, Any] | None = None
    ) -> Iterator[tuple[Execution, StopSwitch]]:
        """The frame of each step: heartbeat around it, and a clear state of the job whichever way it ends. A completed
        job has its state, and keeps it however the run ends."""
        execution = self._begin(context, options)
        if self._was_completed:
            yield execution, self._switch
            return
        with framed(context, execution, self._switch):
            yield execution, self._switch

    def upload(self, job: JobContext) -> Upload:
        """The job's file, read once a run."""
        if self._upload is None:
            self._upload = read_job_upload(job)
        return self._upload

    @property
    def was_completed(self) -> bool:
        """Whether the job had run to its end, all rows fine, before this run (Re-execute in the UI)."""
        return self._was_completed

    def reload(self) -> JobContext:
        """The job as it stands now."""
        assert self._execution is not None  # noqa: S101 - only called inside a step
        return reload(self._execution)

    def _begin(self, context: dg.AssetExecutionContext, options: dict[str, Any] | None) -> Execution:
        if self._execution is not None:
            return self._execution
        settings = Settings.from_environment()
        self._database = open_database(settings)
        try:
            job = load_job(settings, self._database.engine, context.partition_key)
        except JobNotFound as error:
            text = f"{error} A job begins with a dropped file or `billy import`; the partition is its id."
            raise dg.Failure(text, allow_retries=False) from error
        lease = Lease(self._database.engine, job.job_id)
        if not lease.take_job():
            lease.release()
            raise dg.Failure(
                f"Another run is working on job {job.job_id} right now; this one leaves it alone.", allow_retries=False
            )
        self._was_completed = job.row.status == State.COMPLETED
        try:
            job = lifecycle.begin(job, context.run.run_id, options or None)
        except Halted as error:
            lease.release()
            raise dg.Failure(f"{error.code}: {error}", allow_retries=False) from error
        progress = Progress(total=job.row.total_items)
        progress.statuses.update(job.journal.counts())
        self._execution = Execution(job, lease, progress)
        return self._execution
