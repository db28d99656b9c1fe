"""`continue_on_error: false`: after the first failed row, wherever it fails, nothing more is sent; what was in flight
is found out; and a retry gets past what failed before.
"""

from __future__ import annotations

import asyncio

from billy_pipelines.bulk.applying import apply_plan
from billy_pipelines.bulk.context import load_job
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.sandbox import Fault
from billy_pipelines_tests.bulk.jobs import check_accounts, customers_csv, numbered, run_job, run_job_async, take_in
from billy_pipelines_tests.bulk.taking_back import books as books_of
from billy_pipelines_tests.bulk.test_on_the_way import Books, books, new, row
from billy_pipelines_tests.bulk.test_undo_kept import Office, office

__all__ = ["books", "office"]

UNCLEAR, REFUSED = "Kunde 00000 ApS", "Kunde 00001 ApS"


def ends(office: Office, job: JobRow) -> list[tuple[str, str | None]]:
    """Status and code of each row."""
    items = load_job(office.settings, office.engine, job.job_id).journal.items()
    return [(item.status, item.error_code) for item in items]


def taken_in(office: Office, count: int) -> str:
    file = customers_csv(office.folder / "kunder.csv", numbered(count))
    return take_in(office.settings, office.engine, file, continue_on_error=False).job.job_id


def updates_planned(office: Office, count: int) -> tuple[list[str], JobRow]:
    """Ids of some customers, and an applied plan that moves each to another town."""
    there = [{"name": f"K{n} ApS", "contactNo": str(n), "cityText": "Ry", "isCustomer": True} for n in range(count)]
    ids = office.there("contacts", *there)
    moves = [{"contactNo": str(n), "city": "Ribe"} for n in range(count)]
    job = office.run("customers", "update", moves, dry_run=True, continue_on_error=False, batch_size=1)
    apply_plan(office.engine, job.job_id, launch=False)
    return ids, job


# -- what was in flight ------------------------------------------------------------------------------------------------


def test_a_row_without_a_clear_answer_beside_the_first_failure_is_looked_up(office: Office) -> None:
    made = Fault(kind="5xx-after", resource="contacts", methods=("POST",), record=UNCLEAR)
    refused = Fault(kind="422", resource="contacts", record=REFUSED)
    office.sandbox.switch(latency="0.1", faults=[made, refused])
    job = run_job(office.settings, office.engine, taken_in(office, 12))
    assert ends(office, job)[:2] == [("created", None), ("failed", "billy_refused")]
    check_accounts(office.settings, office.engine, office.server, job)


def test_what_the_look_up_does_not_find_is_unprocessed_and_not_sent_again(office: Office) -> None:
    refused = Fault(kind="422", resource="contacts", record=REFUSED)
    office.sandbox.switch(latency="0.1", faults=[lost(UNCLEAR), refused])
    job = run_job(office.settings, office.engine, taken_in(office, 300))
    assert ends(office, job)[:2] == [("unprocessed", None), ("failed", "billy_refused")]
    assert job.counts["unprocessed"] > 150
    posts = office.sandbox.requests.select("POST")
    assert [each.status for each in posts].count(503) == 1
    assert len(posts) == job.counts["created"] + 2
    check_accounts(office.settings, office.engine, office.server, job)


def test_a_half_beside_the_first_failure_has_its_verdict_and_a_retry_finishes_it(office: Office) -> None:
    """Seed 345: it was left without one in a job that had ended."""
    anna = {"name": "Anna", "email": "anna@a.example", "isPrimary": True}
    there = [{"name": f"K{n} ApS", "contactNo": str(n), "isCustomer": True, "contactPersons": [anna]} for n in range(2)]
    office.there("contacts", *there)
    before = books_of(office.server, "contacts")
    unclear = Fault(kind="5xx-before", resource="contactPersons", methods=("PUT",), limit=5)
    refused = Fault(kind="422", resource="contacts", record="K1 ApS")
    office.sandbox.switch(latency="0.1", faults=[unclear, refused])
    rows = [{"contactNo": "0", "city": "Ribe", "email": "ny@a.example"}, {"contactNo": "1", "city": "Ribe"}]
    job = office.run("customers", "update", rows, continue_on_error=False)
    assert job.status == "completed_with_errors"
    assert ends(office, job) == [("failed", "partly_changed"), ("failed", "billy_refused")]
    office.sandbox.switch(faults=[])
    job = run_job(office.settings, office.engine, job.job_id)
    assert ends(office, job) == [("updated", None)] * 2
    assert office.take_back(job).verdicts == ["reversed"] * 2
    assert books_of(office.server, "contacts") == before


# -- failed in the plan ------------------------------------------------------------------------------------------------


def test_a_row_that_fails_in_the_plan_stops_all_others_and_a_retry_carries_them_out(office: Office) -> None:
    ids, planned = updates_planned(office, 4)
    office.sandbox.change("contacts", ids[2], cityText="Hjo")
    job = run_job(office.settings, office.engine, planned.job_id)
    assert job.status == "completed_with_errors"
    held, left = ("failed", "changed_since_plan"), ("unprocessed", None)
    assert ends(office, job) == [left, left, held, left]
    assert office.sandbox.requests.select("PUT") == []

    job = run_job(office.settings, office.engine, planned.job_id)
    done = ("updated", None)
    assert ends(office, job) == [done, done, held, done]


def test_each_run_stops_at_a_failure_of_its_own(office: Office) -> None:
    """One that stays failed is behind the retry; another one stops it."""
    ids, planned = updates_planned(office, 4)
    office.sandbox.change("contacts", ids[0], cityText="Hjo")
    run_job(office.settings, office.engine, planned.job_id)
    office.sandbox.change("contacts", ids[1], cityText="Hjo")
    job = run_job(office.settings, office.engine, planned.job_id)
    held, left = ("failed", "changed_since_plan"), ("unprocessed", None)
    assert ends(office, job) == [held, held, left, left]
    assert ends(office, run_job(office.settings, office.engine, planned.job_id)) == [
        held,
        held,
        *[("updated", None)] * 2,
    ]


def test_a_record_the_rows_need_is_not_made_when_a_row_has_failed_in_the_plan(books: Books) -> None:
    rows = [row("1", **new("98", "Ørsted Prøve ApS")), row("2")]
    planned = books.run(rows, continue_on_error=False, dry_run=True)
    apply_plan(books.engine, planned.job_id, launch=False)
    books.sandbox.sandbox.delete("contacts", "ctc17")
    job = books.go_on(planned.job_id)
    assert books.ended(job) == [("unprocessed", None), ("failed", "changed_since_plan")]
    assert books.made("contacts") == []

    books.go_on(planned.job_id)
    assert books.ended(job) == [("created", None), ("failed", "changed_since_plan")]


# -- failed when it was looked up --------------------------------------------------------------------------------------


def with_one_by_hand(office: Office, job_id: str, name: str) -> JobRow:
    """A run during which a person makes a customer of that name, and says more of it."""

    def by_hand() -> None:
        office.sandbox.add("contacts", [{"name": name, "isCustomer": True, "phone": "11112222"}])

    return asyncio.run(run_job_async(office.settings, office.engine, job_id, before_sync=by_hand))


def lost(name: str, **more: int) -> Fault:
    return Fault(kind="5xx-before", resource="contacts", methods=("POST",), record=name, **more)


def test_a_row_that_fails_when_it_is_looked_up_stops_the_rows_that_would_be_sent_again(office: Office) -> None:
    job_id = taken_in(office, 3)
    office.sandbox.switch(faults=[lost(UNCLEAR), lost(REFUSED)])
    job = with_one_by_hand(office, job_id, REFUSED)
    assert ends(office, job) == [("unprocessed", None), ("failed", "outcome_unknown"), ("created", None)]
    assert len(office.sandbox.requests.select("POST")) == 3


def test_a_row_that_nobody_can_settle_does_not_stop_every_retry(office: Office) -> None:
    """It is looked for again each time, and stays unknown; the others are carried out."""
    job_id = taken_in(office, 300)
    refused = Fault(kind="422", resource="contacts", record=REFUSED, limit=1)
    office.sandbox.switch(latency="0.1", faults=[lost(UNCLEAR), refused])
    job = with_one_by_hand(office, job_id, UNCLEAR)
    assert ends(office, job)[:2] == [("failed", "outcome_unknown"), ("failed", "billy_refused")]
    assert job.counts["unprocessed"] > 150

    job = run_job(office.settings, office.engine, job_id)
    assert ends(office, job) == [("failed", "outcome_unknown"), *[("created", None)] * 299]
