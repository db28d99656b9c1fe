"""A stop while a job waits for what an earlier run may still have on its way: nothing is read or sent any more."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Engine

from billy_pipelines.bulk import lifecycle
from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.execution import Execution, Stopped
from billy_pipelines.bulk.progress import Progress
from billy_pipelines.bulk.reading import check_job_rows, read_job_upload
from billy_pipelines.bulk.timing import Timing
from billy_pipelines.bulk.undo import begin_undo
from billy_pipelines.bulk.undo_execution import UndoExecution
from billy_pipelines.bulk.verdicts import UNDO, verdicts_of
from billy_pipelines.database.items import Sending
from billy_pipelines.database.journal import Journal
from billy_pipelines.database.locks import Lease
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, numbered, run_job, take_in
from billy_pipelines_tests.support import wait_until

FOR_LONG = Timing(settle_after_timeout=60.0)


def stop_in_its_waiting(work: Execution | UndoExecution) -> None:
    """Plan, until it waits; then stop it."""

    async def scenario() -> None:
        stop = asyncio.Event()
        plan = asyncio.create_task(work.plan(stop))
        await asyncio.to_thread(wait_until, lambda: work.progress.phase.startswith("waiting") or plan.done())
        stop.set()
        with pytest.raises(Stopped):
            await plan

    asyncio.run(scenario())


def lists_read(sandbox: SandboxServer) -> int:
    return len([each for each in sandbox.sandbox.requests if each.path == "/v2/contacts" and each.method == "GET"])


def killed_while_sending(engine: Engine, job_id: str) -> None:
    """The journal as a kill -9 leaves it."""
    Journal(engine, job_id).write([Sending(0, "hash")])


def test_a_job_stopped_while_it_waits_reads_no_list(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    job_id = take_in(settings, engine, customers_csv(tmp_path / "customers.csv", numbered(3))).job.job_id
    with Lease(engine, job_id) as lease:
        assert wait_until(lease.take_job)
        job = lifecycle.begin(load_job(settings, engine, job_id), "killed-run")
        check_job_rows(job, read_job_upload(job))
        killed_while_sending(engine, job_id)
        stop_in_its_waiting(Execution(load_job(settings, engine, job_id), lease, Progress(), FOR_LONG))
    assert lists_read(sandbox) == 0


def test_an_undo_stopped_while_it_waits_reads_no_list(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    job_id = take_in(settings, engine, customers_csv(tmp_path / "customers.csv", numbered(3))).job.job_id
    run_job(settings, engine, job_id)
    before = lists_read(sandbox)
    assert before > 0
    killed_while_sending(engine, job_id)
    undo_id = begin_undo(settings, engine, job_id, launch=False).job.job_id
    with Lease(engine, undo_id) as lease:
        assert wait_until(lease.take_job)
        job = lifecycle.begin(load_job(settings, engine, undo_id), "test-run")
        stop_in_its_waiting(UndoExecution(job, lease, Progress(verdicts=verdicts_of(UNDO)), FOR_LONG))
    assert lists_read(sandbox) == before
