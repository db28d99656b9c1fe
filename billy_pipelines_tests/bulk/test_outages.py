"""PostgreSQL goes away in the middle of a sync: for a moment, and for good. Nothing is sent that cannot be recorded."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from billy_pipelines.bulk import group_commit, workplace
from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.execution import Execution
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.lifecycle import begin
from billy_pipelines.bulk.progress import Progress
from billy_pipelines.bulk.reading import check_job_rows, read_job_upload
from billy_pipelines.database.embedded import EmbeddedPostgres
from billy_pipelines.database.engine import migrate, open_engine
from billy_pipelines.database.locks import Lease, LeaseLost
from billy_pipelines.sandbox import Fault, SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import (
    QUICK,
    check_accounts,
    customers_csv,
    names_created,
    numbered,
    run_job,
    run_job_async,
    take_in,
)
from billy_pipelines_tests.support import wait_until

ROWS = 200


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of the test's own, to be stopped."""
    server = EmbeddedPostgres(tmp_path / "cluster")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def mortal(server: EmbeddedPostgres, settings: Settings) -> Iterator[tuple[Settings, Engine]]:
    """Settings and engine on that server."""
    engine = open_engine(server.url)
    migrate(engine)
    yield dataclasses.replace(settings, database_url=server.url), engine
    engine.dispose()


def _sync(settings: Settings, engine: Engine, job_id: str) -> None:
    with Lease(engine, job_id) as lease:
        assert lease.take_job()
        job = begin(load_job(settings, engine, job_id), "test-run")
        check_job_rows(job, read_job_upload(job))
        run = Execution(load_job(settings, engine, job_id), lease, Progress(total=ROWS), QUICK)

        async def both() -> None:
            await run.plan(asyncio.Event())
            await run.sync(asyncio.Event())

        asyncio.run(both())


def test_postgres_gone_for_good_ends_the_job_and_it_can_be_resumed(
    mortal: tuple[Settings, Engine],
    server: EmbeddedPostgres,
    sandbox: SandboxServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group_commit, "PATIENCE_SECONDS", 2.0)
    monkeypatch.setattr(workplace, "LEASE_PATIENCE_SECONDS", 2.0)
    settings, engine = mortal
    sandbox.sandbox.switch(latency="0.1-0.2")
    job_id = take_in(settings, engine, customers_csv(tmp_path / "kunder.csv", numbered(ROWS))).job.job_id

    async def scenario() -> int:
        working = asyncio.create_task(asyncio.to_thread(_sync, settings, engine, job_id))
        await asyncio.to_thread(wait_until, lambda: len(sandbox.sandbox.ledger) >= 20)
        await asyncio.to_thread(server.stop)
        written = len(sandbox.sandbox.ledger)
        with pytest.raises(Halted) as caught:
            await working
        assert caught.value.code == "database_gone"
        assert "Start it again." in str(caught.value)
        return written

    written = asyncio.run(scenario())
    assert len(sandbox.sandbox.ledger) - written <= 64, "what was in flight may land; nothing new is sent"
    assert len(sandbox.sandbox.ledger) < ROWS
    server.start()
    sandbox.sandbox.switch(latency=0)
    row = run_job(settings, engine, job_id)
    assert row.counts["created"] == ROWS
    assert names_created(sandbox).total() == ROWS
    check_accounts(settings, engine, sandbox, row)


def test_a_restart_of_postgres_costs_nothing(
    mortal: tuple[Settings, Engine], server: EmbeddedPostgres, sandbox: SandboxServer, tmp_path: Path
) -> None:
    settings, engine = mortal
    sandbox.sandbox.switch(latency="0.1-0.2")
    job_id = take_in(settings, engine, customers_csv(tmp_path / "kunder.csv", numbered(ROWS))).job.job_id

    async def scenario() -> None:
        working = asyncio.create_task(asyncio.to_thread(_sync, settings, engine, job_id))
        await asyncio.to_thread(wait_until, lambda: len(sandbox.sandbox.ledger) >= 20)
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        await working

    asyncio.run(scenario())
    assert names_created(sandbox).total() == ROWS
    row = run_job(settings, engine, job_id)  # nothing is left to do: it only ends the job
    assert row.counts["created"] == ROWS
    assert names_created(sandbox).total() == ROWS
    check_accounts(settings, engine, sandbox, row)


def test_a_pass_that_ends_while_its_lease_is_renewed_does_not_keep_the_next_one_from_sending(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seed 164 of the campaign, once: everything was held back for ever, with no request and no database at work."""
    checks = 0
    real = Lease.check

    def check(lease: Lease) -> None:
        nonlocal checks
        checks += 1
        if checks == 2:  # the first one is before the pass
            raise LeaseLost("the connection broke")
        real(lease)

    async def never(_self: Execution) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Lease, "check", check)
    monkeypatch.setattr(Execution, "_renew_lease", never)
    monkeypatch.setattr(workplace, "LEASE_CHECK_SECONDS", 0.2)
    refused = Fault(kind="5xx-before", resource="contacts", methods=("POST",), limit=3)
    sandbox.sandbox.switch(latency="0.6", faults=[refused])
    job_id = take_in(settings, engine, customers_csv(tmp_path / "kunder.csv", numbered(5))).job.job_id
    unhurried = dataclasses.replace(QUICK, answer=5.0)
    row = asyncio.run(asyncio.wait_for(run_job_async(settings, engine, job_id, timing=unhurried), 60))
    assert (row.status, row.counts["created"]) == ("completed", 5)
    assert checks > 3
