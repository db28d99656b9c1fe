"""A process that dies while a job begins or ends: what is on record then is what the next run goes on from."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from billy_pipelines.bulk import group_commit, lifecycle, reports
from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.group_commit import DatabaseThread, JournalGone
from billy_pipelines.database.engine import open_engine
from billy_pipelines.database.items import Outcome
from billy_pipelines.database.jobs import update_job
from billy_pipelines.sandbox import Fault, SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import check_accounts, customers_csv, names_created, numbered, run_job, take_in

KILLED = 9


def _die(*_arguments: object) -> NoReturn:
    os._exit(KILLED)  # as after kill -9: nothing is closed, nothing is said


def _die_at_the_files(settings: Settings, url: str, job_id: str) -> None:
    reports.write_results = _die  # type: ignore[assignment]
    run_job(settings, open_engine(url), job_id)


def test_a_kill_between_the_last_row_and_the_files_leaves_a_job_that_goes_on(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    """It had ended, without a file that tells how, and nothing would ever have written one."""
    job_id = take_in(settings, engine, customers_csv(tmp_path / "kunder.csv", numbered(5))).job.job_id
    url = engine.url.render_as_string(hide_password=False)
    process = multiprocessing.get_context("spawn").Process(target=_die_at_the_files, args=(settings, url, job_id))
    process.start()
    process.join()
    assert process.exitcode == KILLED
    job = load_job(settings, engine, job_id)
    assert job.journal.counts() == {"created": 5}
    assert lifecycle.as_it_stands(engine, job.row).status == "interrupted"

    row = run_job(settings, engine, job_id)
    assert (row.status, row.counts["created"]) == ("completed", 5)
    assert (job.folder / "results.csv").exists()
    assert (job.folder / "report.md").exists()
    assert names_created(sandbox).total() == 5
    check_accounts(settings, engine, sandbox, row)


def _cut_off_at_second(function: Callable[..., Any], steps: list[str]) -> Callable[..., Any]:
    def step(*arguments: Any, **values: Any) -> Any:
        steps.append(function.__name__)
        if len(steps) == 2:
            raise KeyboardInterrupt
        return function(*arguments, **values)

    return step


def test_a_kill_while_failed_rows_are_reopened_passes_none_of_them_over(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.sandbox.switch(faults=[Fault(kind="422", body_contains="Kunde 00003")])
    job_id = take_in(settings, engine, customers_csv(tmp_path / "kunder.csv", numbered(5))).job.job_id
    assert run_job(settings, engine, job_id).counts["failed"] == 1
    sandbox.sandbox.switch(faults=[])

    steps: list[str] = []
    with monkeypatch.context() as patch:
        for name in ("change_status", "reopened"):  # whichever comes second is not reached
            patch.setattr(lifecycle, name, _cut_off_at_second(getattr(lifecycle, name), steps))
        with pytest.raises(KeyboardInterrupt):
            lifecycle.begin(load_job(settings, engine, job_id), "killed-run")
    assert len(steps) == 2
    row = run_job(settings, engine, job_id)
    assert (row.status, row.counts["created"], row.counts["failed"]) == ("completed", 5, 0)
    check_accounts(settings, engine, sandbox, row)


def test_a_database_that_stayed_away_is_not_waited_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that ends without its database has several things to write; waiting for each took 165 s."""
    monkeypatch.setattr(group_commit, "PATIENCE_SECONDS", 0.7)
    calls = []

    def away() -> None:
        calls.append(1)
        raise OperationalError("SELECT 1", {}, Exception("the server closed the connection"))

    async def scenario() -> tuple[int, int]:
        thread = DatabaseThread()
        with pytest.raises(JournalGone):
            await thread.run(away)
        first = len(calls)
        with pytest.raises(JournalGone):
            await thread.run(away)
        thread.close()
        return first, len(calls) - first

    first, then = asyncio.run(scenario())
    assert first > 1
    assert then == 1


def test_a_half_that_is_to_be_tried_again_is_not_unprocessed_when_the_job_is_stopped_before(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    there = {"name": "Kunde 1 ApS", "contactNo": "1", "isCustomer": True, "phone": "11111111"}
    [record_id] = sandbox.sandbox.add("contacts", [there])
    file = customers_csv(tmp_path / "kunder.csv", [{"contactNo": "1", "phone": "22222222"}])
    job_id = take_in(settings, engine, file, operation="update").job.job_id
    assert run_job(settings, engine, job_id).counts["updated"] == 1
    half = Outcome(0, "failed", record_id, after_image={"phone": "22222222"}, error_code="partly_changed")
    load_job(settings, engine, job_id).journal.write([half])
    update_job(engine, job_id, status="completed_with_errors")

    lifecycle.begin(load_job(settings, engine, job_id), "a run that is stopped at once")
    row = lifecycle.end_cancelled(load_job(settings, engine, job_id))
    assert (row.counts["failed"], row.counts["unprocessed"]) == (1, 0)
    assert load_job(settings, engine, job_id).journal.items()[0].error_code == "outcome_unknown"
    assert run_job(settings, engine, job_id).counts["updated"] == 1
