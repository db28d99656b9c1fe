"""Rows that were tried more than once: people worked on their records in between, or a part of them was done before.

An undo takes back what the tries together have done, and nothing that people did between them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from billy_pipelines.billy.errors import NotSent
from billy_pipelines.bulk import lifecycle
from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.execution import Execution
from billy_pipelines.bulk.writes import Writes
from billy_pipelines.database.items import Item
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.sandbox import Fault, SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import QUICK, customers_csv, numbered, run_job, run_job_async, take_in
from billy_pipelines_tests.bulk.taking_back import books
from billy_pipelines_tests.bulk.test_undo_kept import Office

ANNA = {"name": "Anna", "email": "anna@a.example", "isPrimary": True}


@pytest.fixture
def office(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> Office:
    return Office(settings, engine, sandbox, tmp_path)


def customer(office: Office, **more: Any) -> str:
    return office.there("contacts", {"name": "A ApS", "contactNo": "1", "cityText": "Ry", "isCustomer": True, **more})[
        0
    ]


def retry(office: Office, job: JobRow) -> JobRow:
    return run_job(office.settings, office.engine, job.job_id)


def row_of(office: Office, job: JobRow) -> Item:
    [item] = load_job(office.settings, office.engine, job.job_id).journal.items()
    return item


def after_settling(monkeypatch: pytest.MonkeyPatch, times: int, act: Callable[[], object]) -> None:
    """`act` when rows in doubt have been settled, and planned anew, for so many times."""
    real, count = Execution.settle_and_plan, 0

    async def settle_and_plan(self: Execution, *given: Any) -> None:
        nonlocal count
        await real(self, *given)
        count += 1
        if count == times:
            act()

    monkeypatch.setattr(Execution, "settle_and_plan", settle_and_plan)


# -- people in between -------------------------------------------------------------------------------------------------


def test_what_a_person_wrote_between_two_tries_of_one_run_stays(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = customer(office, phone="11111111")
    office.sandbox.switch(faults=[Fault(kind="5xx-before", resource="contacts", methods=("PUT",), limit=5)])
    after_settling(monkeypatch, 1, lambda: office.sandbox.change("contacts", contact, phone="22222222"))
    job = office.run("customers", "update", [{"contactNo": "1", "city": "Ribe"}])
    assert (job.counts["updated"], office.one("contacts")["cityText"]) == (1, "Ribe")
    assert row_of(office, job).attempts > 1
    assert office.take_back(job).verdicts == ["reversed"]
    assert (office.one("contacts")["cityText"], office.one("contacts")["phone"]) == ("Ry", "22222222")


def test_what_a_person_wrote_before_a_retry_stays(office: Office) -> None:
    contact = customer(office, phone="11111111")
    office.sandbox.switch(faults=[Fault(kind="422", resource="contacts")])
    job = office.run("customers", "update", [{"contactNo": "1", "city": "Ribe"}])
    assert job.counts["failed"] == 1
    office.sandbox.switch(faults=[])
    office.sandbox.change("contacts", contact, phone="22222222")
    assert retry(office, job).counts["updated"] == 1
    assert office.take_back(job).verdicts == ["reversed"]
    assert (office.one("contacts")["cityText"], office.one("contacts")["phone"]) == ("Ry", "22222222")


def test_a_retry_over_a_persons_value_is_taken_back_to_that_value(office: Office) -> None:
    contact = customer(office)
    file = customers_csv(office.folder / "fil.csv", [{"contactNo": "1", "city": "Ribe"}])
    job_id = take_in(office.settings, office.engine, file, operation="update").job.job_id
    edit = lambda: office.sandbox.change("contacts", contact, cityText="Hjo")  # noqa: E731
    stale = replace(QUICK, fresh=0.0)
    job = asyncio.run(run_job_async(office.settings, office.engine, job_id, timing=stale, before_sync=edit))
    assert row_of(office, job).error_code == "changed_since_plan"
    assert retry(office, job).counts["updated"] == 1
    assert office.take_back(job).verdicts == ["reversed"]
    assert office.one("contacts")["cityText"] == "Hjo"


# -- a part was done before --------------------------------------------------------------------------------------------


def half(office: Office) -> JobRow:
    """A job whose row is two requests, of which Billy has refused the second."""
    customer(office, contactPersons=[ANNA])
    office.sandbox.switch(faults=[Fault(kind="422", resource="contactPersons", methods=("PUT",))])
    job = office.run("customers", "update", [{"contactNo": "1", "city": "Ribe", "email": "ny@a.example"}])
    assert row_of(office, job).error_code == "partly_changed"
    return job


def test_a_half_stays_one_however_often_the_rest_is_refused_and_goes_with_an_undo(office: Office) -> None:
    job = half(office)
    for _ in range(2):
        assert retry(office, job).counts["failed"] == 1
        assert row_of(office, job).error_code == "partly_changed"
    office.sandbox.switch(faults=[])
    assert office.take_back(job).verdicts == ["reversed"]
    assert office.one("contacts")["cityText"] == "Ry"
    assert office.one("contactPersons")["email"] == "anna@a.example"


def test_a_half_whose_rest_somebody_changed_is_left_and_still_called_so(office: Office) -> None:
    job = half(office)
    office.sandbox.switch(faults=[])
    office.sandbox.change("contactPersons", office.one("contactPersons")["id"], email="hånd@a.example")
    assert retry(office, job).counts["failed"] == 1
    assert row_of(office, job).error_code == "partly_changed"
    assert "email changed in Billy" in (row_of(office, job).error or "")
    assert office.one("contactPersons")["email"] == "hånd@a.example"
    assert office.take_back(job).verdicts == ["reversed"]
    assert (office.one("contacts")["cityText"], office.one("contactPersons")["email"]) == ("Ry", "hånd@a.example")


def test_a_half_finished_by_a_retry_is_one_change_and_taken_back_as_one(office: Office) -> None:
    job = half(office)
    office.sandbox.switch(faults=[])
    office.sandbox.change("contacts", office.one("contacts")["id"], phone="22222222")
    assert retry(office, job).counts["updated"] == 1
    assert office.take_back(job).verdicts == ["reversed"]
    contact = office.one("contacts")
    assert (contact["cityText"], contact["phone"]) == ("Ry", "22222222")
    assert office.one("contactPersons")["email"] == "anna@a.example"


def test_one_of_two_further_addresses_is_a_half(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    customer(office, contactPersons=[ANNA])
    before = books(office.server, "contacts")
    rows = [{"contactNo": "1", "email": "anna@a.example; b@a.example; c@a.example"}]
    file = customers_csv(office.folder / "fil.csv", rows)
    refused = Fault(kind="5xx-before", resource="contactPersons", methods=("POST",), body_contains="c@a.example")
    office.sandbox.switch(faults=[refused])
    job_id = take_in(office.settings, office.engine, file, operation="update").job.job_id

    async def stopped_when_settled() -> JobRow:
        stop = asyncio.Event()
        after_settling(monkeypatch, 2, stop.set)
        return await run_job_async(office.settings, office.engine, job_id, stop=stop)

    job = asyncio.run(stopped_when_settled())
    assert (job.status, job.counts["failed"], job.counts["unprocessed"]) == ("cancelled", 1, 0)
    office.sandbox.switch(faults=[])
    assert office.take_back(job).verdicts == ["reversed"]
    assert books(office.server, "contacts") == before


def test_a_job_that_was_killed_with_a_half_and_nothing_else_can_be_taken_back(office: Office) -> None:
    job = half(office)
    office.sandbox.switch(faults=[])
    retried = load_job(office.settings, office.engine, job.job_id)
    lifecycle.begin(retried, "killed")
    assert row_of(office, job).status == "planned"
    assert office.take_back(job).verdicts == ["reversed"]
    assert office.one("contacts")["cityText"] == "Ry"


# -- no attempt --------------------------------------------------------------------------------------------------------


def test_what_never_left_is_no_attempt(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Billy cannot be reached for a while; the first request that reaches it is the first attempt."""
    real, count = Writes.send, 0

    async def send(self: Writes, *given: Any) -> Any:
        nonlocal count
        count += 1
        if count <= 6:
            raise NotSent("no connection to Billy")
        return await real(self, *given)

    monkeypatch.setattr(Writes, "send", send)
    office.sandbox.switch(faults=[Fault(kind="5xx-before", resource="contacts", methods=("POST",), limit=1)])
    job = office.run("customers", "import", numbered(1))
    assert (job.counts["created"], row_of(office, job).attempts) == (1, 2)
