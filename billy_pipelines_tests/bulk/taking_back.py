"""Undos without Dagster: begun, carried out as `defs/` does, and what became of each row and of the books."""

from __future__ import annotations

import asyncio
import csv
from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from billy_pipelines.bulk import lifecycle
from billy_pipelines.bulk.context import job_folder, load_job
from billy_pipelines.bulk.halted import Halted
from billy_pipelines.bulk.progress import Progress
from billy_pipelines.bulk.timing import Timing
from billy_pipelines.bulk.undo import begin_undo, parts_to_undo
from billy_pipelines.bulk.undo_execution import UndoExecution
from billy_pipelines.bulk.verdicts import UNDO, State, verdicts_of
from billy_pipelines.bulk.workplace import Stopped
from billy_pipelines.database.jobs import JobRow, get_job
from billy_pipelines.database.locks import Lease
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import QUICK
from billy_pipelines_tests.support import wait_until

CHILDREN = {"contacts": ("contactPersons", "contactId"), "products": ("productPrices", "productId")}
CHILDREN |= {"invoices": ("invoiceLines", "invoiceId")}
CHANGING = ("createdTime", "accessCode", "downloadUrl")
"""What a record that is made again cannot have as it was."""


@dataclass(frozen=True)
class Undone:
    """An undo that has ended, its rows in the order of the file."""

    job: JobRow
    target: JobRow
    rows: list[dict[str, str]]

    @property
    def verdicts(self) -> list[str]:
        return [row["verdict"] for row in self.rows]

    @property
    def codes(self) -> list[str]:
        return [row["code"] for row in self.rows]


def take_back(settings: Settings, engine: Engine, job_id: str, *, timing: Timing = QUICK, **asked: Any) -> Undone:
    """Undo a job with what was made on its way, as the Dagster job does."""
    undo = begin_undo(settings, engine, job_id, launch=False, **asked)
    work_on(settings, engine, undo.job.job_id, timing=timing)
    if not (asked.get("lines") or asked.get("only")):
        for part in parts_to_undo(engine, job_id):
            take_back(settings, engine, part.job_id, dry_run=asked.get("dry_run", False))
    return ended(settings, engine, undo.job.job_id)


def ended(settings: Settings, engine: Engine, undo_id: str) -> Undone:
    """What an undo has left, with the accounts that must hold whatever happened."""
    job = load_job(settings, engine, undo_id)
    target = get_job(engine, job.row.undoes or "")
    assert target is not None
    with (job_folder(settings, undo_id) / "undo.csv").open(encoding="utf-8-sig", newline="") as file:
        # An id can begin with a sign that a spreadsheet would run, and has an apostrophe before it then.
        rows = [
            {name: cell.removeprefix("'") for name, cell in row.items()} for row in csv.DictReader(file, delimiter=";")
        ]
    counts = job.row.counts
    assert counts["total"] == len(rows) == sum(n for name, n in counts.items() if name != "total")
    if not job.options.dry_run:
        assert Counter(row["verdict"] for row in rows) == {n: c for n, c in counts.items() if c and n != "total"}
    return Undone(job.row, target, rows)


def work_on(
    settings: Settings, engine: Engine, undo_id: str, *, timing: Timing = QUICK, stop: asyncio.Event | None = None
) -> JobRow:
    """One run of an undo, in this thread."""
    return asyncio.run(work_on_async(settings, engine, undo_id, timing=timing, stop=stop))


async def work_on_async(
    settings: Settings, engine: Engine, undo_id: str, *, timing: Timing = QUICK, stop: asyncio.Event | None = None
) -> JobRow:
    """The same inside a loop, so that a test can stop it."""
    stop = stop or asyncio.Event()
    with Lease(engine, undo_id) as lease:
        assert wait_until(lease.take_job)
        job = lifecycle.begin(load_job(settings, engine, undo_id), "test-run")
        if job.row.status == State.COMPLETED:
            return job.row
        work = UndoExecution(job, lease, Progress(verdicts=verdicts_of(UNDO)), timing)
        try:
            await work.plan(stop)
            if work.dry:
                return lifecycle.end_planned(load_job(settings, engine, undo_id))
            lifecycle.set_state(load_job(settings, engine, undo_id), State.PROCESSING)
            await work.sync(stop)
            return lifecycle.end_completed(load_job(settings, engine, undo_id))
        except Halted as error:
            return lifecycle.end_failed(load_job(settings, engine, undo_id), error)
        except Stopped:
            return lifecycle.end_cancelled(load_job(settings, engine, undo_id))


def books(sandbox: SandboxServer, *plurals: str) -> list[Any]:
    """What is in the books, without ids and what cannot be made again: equal before a job and after its undo."""
    found = []
    for plural in plurals or tuple(CHILDREN):
        children, parent = CHILDREN[plural]
        for record in sandbox.sandbox.records(plural):
            own = [each for each in sandbox.sandbox.records(children) if each[parent] == record["id"]]
            found.append((plural, _plain(record), sorted((_plain(each, parent) for each in own), key=repr)))
    return sorted(found, key=repr)


def _plain(record: dict[str, Any], *more: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in ("id", *CHANGING, *more) and value is not None}
