"""Jobs without Dagster: the engine as `defs/` calls it, and the accounts that must hold after any of it."""

from __future__ import annotations

import asyncio
import csv
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from billy_pipelines.bulk import lifecycle, reports
from billy_pipelines.bulk.applying import waits_for_person
from billy_pipelines.bulk.context import JobContext, load_job
from billy_pipelines.bulk.execution import Execution, Stopped
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.intake import Received, receive
from billy_pipelines.bulk.plan_report import write_plan
from billy_pipelines.bulk.progress import Progress
from billy_pipelines.bulk.reading import check_job_rows, read_job_upload
from billy_pipelines.bulk.timing import Timing
from billy_pipelines.bulk.verdicts import State, Verdict
from billy_pipelines.database.jobs import JobRow, update_job
from billy_pipelines.database.locks import Lease
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.support import wait_until

QUICK = Timing(answer=1.0, drain=2.0, breaker=2.0, settle_after_break=0.05, settle_after_timeout=0.3)
"""The engine's waiting times, short enough for tests and in the same order as the real ones."""


def customers_csv(path: Path, rows: Iterable[Mapping[str, str]]) -> Path:
    """A file of customers with all the columns any row has."""
    rows = list(rows)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter=";", restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def numbered(count: int, start: int = 0) -> list[dict[str, str]]:
    """Plain customers, all different."""
    return [
        {"name": f"Kunde {n:05d} ApS", "email": f"k{n}@kunde.example", "city": "Århus"}
        for n in range(start, start + count)
    ]


def take_in(settings: Settings, engine: Engine, file: Path, **options: Any) -> Received:
    """Receive a file for `default`, an import of customers typed as a command unless the options say otherwise."""
    again, launch = options.pop("again", False), options.pop("launch", False)
    resource, operation = options.pop("resource", "customers"), options.pop("operation", "import")
    received = receive(
        settings,
        engine,
        file,
        organization="default",
        resource=resource,
        operation=operation,
        options=options,
        again=again,
        keep=True,
        launch=launch,
    )
    _skip_slow_start(engine)
    return received


def _skip_slow_start(engine: Engine) -> None:
    """The rate starts at 2/s on purpose; tests of other things begin where it has grown to its ceiling."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE billy.billy_organizations SET rate = 500, rate_changed_at = now() WHERE rate IS NULL")
        )


def run_job(
    settings: Settings, engine: Engine, job_id: str, *, timing: Timing = QUICK, stop: asyncio.Event | None = None
) -> JobRow:
    """Take a job through all its steps in this thread, as a run does."""
    return asyncio.run(run_job_async(settings, engine, job_id, timing=timing, stop=stop))


async def run_job_async(
    settings: Settings,
    engine: Engine,
    job_id: str,
    *,
    timing: Timing = QUICK,
    stop: asyncio.Event | None = None,
    before_sync: Callable[[], Any] = lambda: None,
    options: dict[str, Any] | None = None,
) -> JobRow:
    """The same inside a loop, so that a test can stop it. `options` are those given with this run."""
    stop = stop or asyncio.Event()
    job = load_job(settings, engine, job_id)
    with Lease(engine, job_id) as lease:
        # The run before this one has let go of the job, but PostgreSQL may not have noticed yet that its session ended.
        assert wait_until(lease.take_job)
        job = lifecycle.begin(job, "test-run", options)
        if job.row.status == State.COMPLETED:
            return job.row
        progress = Progress()
        try:
            check_job_rows(job, read_job_upload(job))
            execution = Execution(load_job(settings, engine, job_id), lease, progress, timing)
            progress.total = execution.job.row.total_items
            await execution.plan(stop)
            write_plan(load_job(settings, engine, job_id), job.journal.items())
            waiting = waits_for_person(job, execution.register_size)
            if job.options.dry_run or waiting:
                return lifecycle.end_planned(execution.job, waiting)
            before_sync()
            await execution.sync(stop)
            return lifecycle.end_completed(execution.job)
        except Halted as error:
            return lifecycle.end_failed(load_job(settings, engine, job_id), error)
        except Stopped:
            return lifecycle.end_cancelled(load_job(settings, engine, job_id))


def leave_in_doubt(
    engine: Engine, job_id: str, lines: Iterable[int], *, status: State | None = None, billy_id: str | None = None
) -> None:
    """Put rows to where a kill -9 right after their marks leaves them, and their job, which was done, into a state;
    `billy_id`: of the record that a change was for."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE billy.billy_bulk_job_items SET status = 'sending', billy_id = :id, after_image = NULL"
                " WHERE job_id = :job AND line = ANY(:lines)"
            ),
            {"job": job_id, "lines": list(lines), "id": billy_id},
        )
        if status is not None:
            update_job(connection, job_id, status=status)


def names_created(sandbox: SandboxServer) -> Counter[str]:
    """How often each contact name was created in Billy, by its ledger."""
    return Counter(str(change.key) for change in sandbox.sandbox.ledger.select("create", "contacts"))


def check_accounts(settings: Settings, engine: Engine, sandbox: SandboxServer, row: JobRow) -> JobContext:
    """The promises, over ledger, journal, result files and counts.

    Each row has one verdict and they add up; nothing was created twice; what is called created is in Billy under that
    id; what Billy holds is called created (or named as unclear), never lost.
    """
    job = load_job(settings, engine, row.job_id)
    items = job.journal.items()
    verdicts = Counter(reports.verdict_of(item).value for item in items)
    assert row.counts["total"] == sum(n for name, n in row.counts.items() if name != "total")
    assert {name: n for name, n in row.counts.items() if n and name != "total"} == dict(verdicts)
    with (job.folder / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        results = list(csv.DictReader(file, delimiter=";"))
    assert Counter(result["verdict"] for result in results) == verdicts
    assert [int(result["line"]) for result in results] == [item.line for item in items]
    assert all(count == 1 for count in names_created(sandbox).values()), "a record was created twice"
    present = {str(contact["id"]): contact for contact in sandbox.sandbox.contacts}
    by_name = {str(contact["name"]): contact for contact in present.values()}
    for item in items:
        if item.status == Verdict.CREATED:
            assert item.billy_id in present, f"row {item.line} is called created but is not in Billy"
            assert present[item.billy_id]["name"] == (item.item_data or {})["name"]
        elif item.status == Verdict.UNPROCESSED:
            assert (item.item_data or {})["name"] not in by_name, f"row {item.line} is in Billy but called unprocessed"
        elif item.status == Verdict.FAILED:
            known = (item.item_data or {})["name"] not in by_name or item.error_code == "outcome_unknown"
            assert known, f"row {item.line} is in Billy but called failed"
    return job
