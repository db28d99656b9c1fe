"""Rows of a dead job that never arrived: an undo takes nobody else's record for theirs. What a delete took is known."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from sqlalchemy import Engine

from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.verdicts import State
from billy_pipelines.database.jobs import JobRow, update_job
from billy_pipelines.sandbox import Fault, SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, leave_in_doubt, run_job, take_in
from billy_pipelines_tests.bulk.taking_back import books, ended, take_back, work_on


@pytest.fixture
def dead(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> JobRow:
    """A job of two customers, killed when the first was marked, and before its request had left."""
    file = customers_csv(tmp_path / "a.csv", [{"name": "Kunde 1 ApS"}, {"name": "Kunde 2 ApS"}])
    job = take_in(settings, engine, file).job
    run_job(settings, engine, job.job_id)
    sandbox.sandbox.delete_contact(_id(sandbox, "Kunde 1 ApS"))
    leave_in_doubt(engine, job.job_id, [2], status=State.INTERRUPTED)
    return job


def test_another_jobs_record_is_not_taken_for_one_of_the_dead_job(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path, dead: JobRow
) -> None:
    file = customers_csv(tmp_path / "b.csv", [{"name": "Kunde 1 ApS"}, {"name": "Kunde 3 ApS"}])
    assert run_job(settings, engine, take_in(settings, engine, file).job.job_id).counts["created"] == 2
    undone = take_back(settings, engine, dead.job_id)
    assert [(row["line"], row["verdict"]) for row in undone.rows if row["verdict"] == "reversed"] == [("3", "reversed")]
    assert {contact["name"] for contact in sandbox.sandbox.contacts} == {"Kunde 1 ApS", "Kunde 3 ApS"}


def test_what_another_job_has_made_equal_is_not_taken_for_made(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    """A person's record, which another job's update gave the content of the row in doubt."""
    rows = [{"name": "Kunde 1 ApS", "city": "Ribe"}, {"name": "Kunde 2 ApS", "city": "Ribe"}]
    job_id = take_in(settings, engine, customers_csv(tmp_path / "a.csv", rows)).job.job_id
    run_job(settings, engine, job_id)
    sandbox.sandbox.delete_contact(_id(sandbox, "Kunde 1 ApS"))
    leave_in_doubt(engine, job_id, [2], status=State.INTERRUPTED)
    sandbox.sandbox.add("contacts", [{"name": "Kunde 1 ApS", "cityText": "Ry", "isCustomer": True}])
    file = customers_csv(tmp_path / "b.csv", rows[:1])
    update = take_in(settings, engine, file, on_existing="update").job.job_id
    assert run_job(settings, engine, update).counts["updated"] == 1

    row = run_job(settings, engine, job_id)
    assert (row.counts["created"], row.counts["failed"]) == (1, 1)
    assert load_job(settings, engine, job_id).journal.items()[0].error_code == "outcome_unknown"


def test_a_record_in_which_a_person_has_written_more_is_kept(
    settings: Settings, engine: Engine, sandbox: SandboxServer, dead: JobRow
) -> None:
    sandbox.sandbox.add("contacts", [{"name": "Kunde 1 ApS", "street": "Skrevet i hånden 1", "isCustomer": True}])
    undone = take_back(settings, engine, dead.job_id)
    assert list(zip(undone.verdicts, undone.codes, strict=True)) == [("kept", "job_unsettled"), ("reversed", "")]
    assert [contact["street"] for contact in sandbox.sandbox.contacts] == ["Skrevet i hånden 1"]
    # What the undo has found out stands in the files of the job too, which told of its earlier end.
    job = load_job(settings, engine, dead.job_id)
    assert job.journal.counts() == {"failed": 1, "created": 1}
    with (job.folder / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["verdict"] for row in csv.DictReader(file, delimiter=";")] == ["failed", "created"]


def test_what_a_person_wrote_before_a_change_was_settled_is_not_taken_back_with_it(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    """The change is found done when the job goes on; by then the record holds more than the change wrote."""
    [record_id] = sandbox.sandbox.add("contacts", [{"name": "A", "contactNo": "1", "phone": "11", "isCustomer": True}])
    rows = [{"contactNo": "1", "phone": "22222222"}]
    job_id = take_in(settings, engine, customers_csv(tmp_path / "a.csv", rows), operation="update").job.job_id
    assert run_job(settings, engine, job_id).counts["updated"] == 1
    leave_in_doubt(engine, job_id, [2], status=State.INTERRUPTED, billy_id=record_id)
    sandbox.sandbox.change_contact(record_id, street="Skrevet i hånden 1")
    sandbox.sandbox.add("contactPersons", [{"contactId": record_id, "name": "Ny", "email": "ny@a.example"}])
    assert run_job(settings, engine, job_id).counts["updated"] == 1

    assert take_back(settings, engine, job_id).verdicts == ["reversed"]
    [contact] = sandbox.sandbox.contacts
    assert (contact["phone"], contact["street"]) == ("11", "Skrevet i hånden 1")
    assert [person["email"] for person in sandbox.sandbox.records("contactPersons")] == ["ny@a.example"]


@pytest.mark.parametrize("goes_on", [True, False], ids=["the job goes on", "the job is taken back"])
def test_a_change_in_doubt_that_a_person_has_written_over_is_unknown_and_left_alone(
    goes_on: bool, settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    """Whether it ever was in the books cannot be told: neither `unprocessed` nor `updated` would be true."""
    [record_id] = sandbox.sandbox.add("contacts", [{"name": "A", "contactNo": "1", "phone": "11", "isCustomer": True}])
    rows = [{"contactNo": "1", "phone": "22222222"}]
    job_id = take_in(settings, engine, customers_csv(tmp_path / "a.csv", rows), operation="update").job.job_id
    run_job(settings, engine, job_id)
    leave_in_doubt(engine, job_id, [2], status=State.INTERRUPTED, billy_id=record_id)
    sandbox.sandbox.change_contact(record_id, phone="33")
    if goes_on:
        assert run_job(settings, engine, job_id).counts["failed"] == 1
    else:
        undone = take_back(settings, engine, job_id)
        assert (undone.verdicts, undone.codes) == (["kept"], ["job_unsettled"])
    [item] = load_job(settings, engine, job_id).journal.items()
    assert (item.status, item.error_code) == ("failed", "outcome_unknown")
    assert record_id in (item.error or "")
    assert "phone" in (item.error or "")
    assert [contact["phone"] for contact in sandbox.sandbox.contacts] == ["33"]


def test_the_half_of_a_row_of_a_dead_job_is_taken_back_and_told(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    """Killed between the record's request and that of its person."""
    primary = [{"name": "P", "email": "gammel@p.example", "isPrimary": True}]
    there = {"name": "A", "contactNo": "1", "cityText": "Ry", "isCustomer": True, "contactPersons": primary}
    [record_id] = sandbox.sandbox.add("contacts", [there])
    before = books(sandbox)
    rows = [{"contactNo": "1", "city": "Ribe", "email": "ny@p.example"}]
    job_id = take_in(settings, engine, customers_csv(tmp_path / "a.csv", rows), operation="update").job.job_id
    assert run_job(settings, engine, job_id).counts["updated"] == 1
    leave_in_doubt(engine, job_id, [2], status=State.INTERRUPTED, billy_id=record_id)
    [person] = sandbox.sandbox.records("contactPersons")
    sandbox.sandbox.change("contactPersons", person["id"], email="gammel@p.example")

    undone = take_back(settings, engine, job_id)
    assert undone.verdicts == ["reversed"]
    assert load_job(settings, engine, job_id).journal.items()[0].error_code == "partly_changed"
    assert (undone.target.status, undone.target.counts["failed"]) == ("undone", 1)
    assert books(sandbox) == before


def test_what_another_job_made_is_not_called_made_again(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    before = [{"name": f"Gammel {n} ApS", "contactNo": f"{n}", "isCustomer": True} for n in (1, 2)]
    sandbox.sandbox.add("contacts", [{**each, "createdTime": "2026-01-02T08:00:00"} for each in before])
    file = customers_csv(tmp_path / "a.csv", [{"contactNo": "1"}, {"contactNo": "2"}])
    job_id = take_in(settings, engine, file, operation="delete", confirm_count=2).job.job_id
    assert run_job(settings, engine, job_id).counts["deleted"] == 2
    undo_id = take_back(settings, engine, job_id).job.job_id
    sandbox.sandbox.delete_contact(_id(sandbox, "Gammel 1 ApS"))
    leave_in_doubt(engine, undo_id, [2], status=State.INTERRUPTED)
    update_job(engine, job_id, status=State.UNDOING)
    file = customers_csv(tmp_path / "b.csv", [{"name": "Gammel 1 ApS", "contactNo": "1"}])
    run_job(settings, engine, take_in(settings, engine, file).job.job_id)

    work_on(settings, engine, undo_id)
    undone = ended(settings, engine, undo_id)
    assert list(zip(undone.verdicts, undone.codes, strict=True)) == [
        ("kept", "there_again"),
        ("reversed", "made_again"),
    ]


@pytest.mark.parametrize("bulk_save", ["off", "on"])
def test_a_delete_without_a_clear_answer_is_taken_back_with_the_persons_that_lists_leave_out(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path, bulk_save: str
) -> None:
    persons = [{"name": "P", "email": "p@p.example", "isPrimary": True}]
    old = [{"name": f"Gammel {n} ApS", "contactNo": f"{n}", "contactPersons": persons} for n in (1, 2)]
    sandbox.sandbox.add("contacts", [{**each, "isCustomer": True} for each in old])
    before = books(sandbox)
    sandbox.sandbox.switch(include="ignored", faults=[Fault(kind="reset-after", methods=["DELETE"], limit=1)])
    file = customers_csv(tmp_path / "a.csv", [{"contactNo": "1"}, {"contactNo": "2"}])
    job = take_in(settings, engine, file, operation="delete", confirm_count=2, bulk_save=bulk_save).job
    assert run_job(settings, engine, job.job_id).counts["deleted"] == 2
    assert not sandbox.sandbox.contacts
    assert take_back(settings, engine, job.job_id).verdicts == ["reversed", "reversed"]
    assert books(sandbox) == before


def _id(sandbox: SandboxServer, name: str) -> str:
    return next(str(contact["id"]) for contact in sandbox.sandbox.contacts if contact["name"] == name)
