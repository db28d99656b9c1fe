"""A stop while Billy's rate limit holds requests back: what only got a 429 is not in the books, and not in doubt.

Its row is unprocessed again at once; only what is really out is waited for.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text

from billy_pipelines.bulk.applying import apply_plan
from billy_pipelines.bulk.approving import _Approving
from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.timing import Timing
from billy_pipelines.bulk.undo import begin_undo
from billy_pipelines.bulk.undo_execution import UndoExecution
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.sandbox import Fault
from billy_pipelines_tests.bulk.jobs import check_accounts, customers_csv, numbered, run_job, run_job_async, take_in
from billy_pipelines_tests.bulk.taking_back import work_on_async
from billy_pipelines_tests.bulk.test_approving import BY_DATE, DONE, FIVE, Desk, _at_send, desk
from billy_pipelines_tests.bulk.test_undo_kept import Office, office
from billy_pipelines_tests.support import wait_until

__all__ = ["desk", "office"]

PATIENT = Timing(answer=30.0, drain=20.0, settle_after_break=0.05, settle_after_timeout=0.3)
"""What is out may take long to answer: a stop that waits for what was refused is seen."""
AT_ONCE = 8.0
MANY = 40


async def stopped(office: Office | Desk, run: Callable[[asyncio.Event], Awaitable[JobRow]], *refused: str) -> JobRow:
    """Run, and stop once a write was refused for the limit and nothing else is out; it has to end at once."""
    stop = asyncio.Event()
    log = office.sandbox.requests if isinstance(office, Office) else office.sandbox.sandbox.requests
    running = asyncio.ensure_future(run(stop))

    def is_refused() -> bool:
        return running.done() or any(each.status == 429 and each.method in refused for each in log)

    await asyncio.to_thread(wait_until, is_refused)
    began = time.monotonic()
    stop.set()
    row = await running
    assert time.monotonic() - began < AT_ONCE
    return row


def limit(office: Office, many: int = 1) -> Callable[[], Any]:
    return lambda: office.sandbox.switch(rate_limit=f"{many}/600", retry_after="seconds")


def limit_is_over(office: Office) -> None:
    """As ten minutes later."""
    office.sandbox.switch(rate_limit=None)
    with office.engine.begin() as connection:
        connection.execute(text("UPDATE billy.billy_organizations SET next_permit_at = now(), rate_changed_at = now()"))


def statuses(office: Office | Desk, job_id: str) -> Counter[str]:
    return Counter(item.status for item in load_job(office.settings, office.engine, job_id).journal.items())


@pytest.mark.parametrize("bulk_save", ["off", "on"])
def test_creates_that_were_refused_for_the_limit_are_unprocessed(office: Office, bulk_save: str) -> None:
    file = customers_csv(office.folder / "kunder.csv", numbered(MANY))
    job_id = take_in(office.settings, office.engine, file, bulk_save=bulk_save).job.job_id

    async def run(stop: asyncio.Event) -> JobRow:
        return await run_job_async(
            office.settings, office.engine, job_id, timing=PATIENT, stop=stop, before_sync=limit(office)
        )

    row = asyncio.run(stopped(office, run, "POST", "PATCH"))
    made = len(office.sandbox.contacts)
    assert row.status == "cancelled"
    assert statuses(office, job_id) == {"created": made, "unprocessed": MANY - made}
    journal = check_accounts(office.settings, office.engine, office.server, row).journal
    assert {item.attempts for item in journal.items(["unprocessed"])} == {0}, "what never was in Billy is no attempt"

    limit_is_over(office)
    row = run_job(office.settings, office.engine, job_id)
    assert (row.status, row.counts["created"]) == ("completed", MANY)
    check_accounts(office.settings, office.engine, office.server, row)


@pytest.mark.parametrize("operation", ["update", "delete"])
def test_changes_that_were_refused_for_the_limit_are_unprocessed(office: Office, operation: str) -> None:
    office.there("contacts", *[{"name": f"K{n}", "contactNo": str(n), "isCustomer": True} for n in range(9)])
    changes = [
        {"contactNo": str(n), "city": "Ribe"} if operation == "update" else {"contactNo": str(n)} for n in range(9)
    ]
    file = customers_csv(office.folder / "kunder.csv", changes)
    how = {"operation": operation, "confirm_count": 9}
    job_id = take_in(office.settings, office.engine, file, **how).job.job_id

    async def run(stop: asyncio.Event) -> JobRow:
        return await run_job_async(
            office.settings, office.engine, job_id, timing=PATIENT, stop=stop, before_sync=limit(office, 3)
        )

    row = asyncio.run(stopped(office, run, "GET", "PUT", "DELETE"))
    done = {"update": "updated", "delete": "deleted"}[operation]
    assert row.status == "cancelled"
    assert statuses(office, job_id) == Counter({done: row.counts[done], "unprocessed": 9 - row.counts[done]})
    written = [change for change in office.sandbox.ledger if change.operation == operation]
    assert len(written) == row.counts[done]


def test_an_undo_leaves_unprocessed_what_was_refused_for_the_limit(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = office.run("customers", "import", numbered(9))
    undo_id = begin_undo(office.settings, office.engine, job.job_id, launch=False).job.job_id
    sync = UndoExecution.sync

    async def limited(self: UndoExecution, stop: asyncio.Event) -> None:
        limit(office, 3)()
        await sync(self, stop)

    async def run(stop: asyncio.Event) -> JobRow:
        monkeypatch.setattr(UndoExecution, "sync", limited)
        return await work_on_async(office.settings, office.engine, undo_id, timing=PATIENT, stop=stop)

    row = asyncio.run(stopped(office, run, "DELETE"))
    assert (row.status, len(office.sandbox.contacts)) == ("cancelled", 6)
    assert statuses(office, undo_id) == {"reversed": 3, "unprocessed": 6}


def test_an_approval_that_was_refused_for_the_limit_leaves_a_draft(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def limit_is_used_up() -> None:
        desk.sandbox.sandbox.switch(rate_limit="1/600", retry_after="seconds")
        desk.sandbox.sandbox.rate_windows[desk.sandbox.token] = deque([time.monotonic()])

    async def run(stop: asyncio.Event) -> JobRow:
        monkeypatch.setattr(_Approving, "_send", _at_send(2, limit_is_used_up))
        return await run_job_async(desk.settings, desk.engine, job.job_id, timing=PATIENT, stop=stop)

    job = desk.plan(FIVE)
    apply_plan(desk.engine, job.job_id, launch=False)
    ended = asyncio.run(stopped(desk, run, "PUT"))
    assert (ended.status, len(desk.approved)) == ("cancelled", 1)
    by_row = desk.ended(job.job_id)
    assert [by_row[place] for place in BY_DATE] == [DONE, *[("failed", "not_approved")] * 4]


def test_what_is_out_is_still_waited_for_while_others_are_held_back(office: Office) -> None:
    """One request is carried out and answered late; the others get 429s, and the stop comes."""
    file = customers_csv(office.folder / "kunder.csv", numbered(MANY))
    job_id = take_in(office.settings, office.engine, file).job.job_id

    def slow_then_limited() -> None:
        late = Fault(kind="timeout-after", record="Kunde 00000 ApS", methods=("POST",), seconds=1.0)
        office.sandbox.switch(rate_limit="1/600", retry_after="seconds", faults=[late])

    async def run(stop: asyncio.Event) -> JobRow:
        return await run_job_async(
            office.settings, office.engine, job_id, timing=PATIENT, stop=stop, before_sync=slow_then_limited
        )

    row = asyncio.run(stopped(office, run, "POST"))
    assert [contact["name"] for contact in office.sandbox.contacts] == ["Kunde 00000 ApS"]
    assert statuses(office, job_id) == {"outcome_unknown": 1, "unprocessed": MANY - 1}
    check_accounts(office.settings, office.engine, office.server, row)
