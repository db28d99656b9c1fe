"""Updates, deletes and applied plans of customers: what they mean against the books, and what they leave alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from billy_pipelines.bulk.applying import NotApplicable, apply_plan
from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.intake import Reception
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, run_job, take_in

Rows = list[dict[str, str]]


class Office:
    """Somebody who hands in files of customers and looks at the books."""

    def __init__(self, settings: Settings, engine: Engine, sandbox: SandboxServer, folder: Path) -> None:
        self.settings, self.engine, self.sandbox, self.folder = settings, engine, sandbox, folder

    def there(self, *contacts: dict[str, Any]) -> list[str]:
        """Contacts that are in the books already; their ids."""
        return self.sandbox.sandbox.add_contacts([{"isCustomer": True, **contact} for contact in contacts])

    def book(self) -> dict[str, dict[str, Any]]:
        """The books as they are, by id."""
        return {str(contact["id"]): contact for contact in self.sandbox.sandbox.contacts}

    def hand_in(self, rows: Rows, operation: str, **options: Any) -> JobRow:
        file = customers_csv(self.folder / "kunder.csv", rows)
        job = take_in(self.settings, self.engine, file, operation=operation, **options).job
        return run_job(self.settings, self.engine, job.job_id)

    def apply(self, job: JobRow, **more: Any) -> JobRow:
        apply_plan(self.engine, job.job_id, launch=False, **more)
        return run_job(self.settings, self.engine, job.job_id)

    def verdicts(self, job: JobRow) -> list[tuple[str, str | None]]:
        items = load_job(self.settings, self.engine, job.job_id).journal.items()
        return [(item.status, item.error_code) for item in items]

    def written(self) -> list[tuple[str, str]]:
        """What was changed through the API: operation and id."""
        return [(c.operation, c.id) for c in self.sandbox.sandbox.ledger.select() if c.request_id != "in-process"]


@pytest.fixture
def office(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> Office:
    return Office(settings, engine, sandbox, tmp_path)


# -- update ------------------------------------------------------------------------------------------------------------


def test_b1_an_update_changes_the_columns_of_the_file_and_nothing_else(office: Office) -> None:
    [record] = office.there({"name": "A ApS", "contactNo": "7", "countryId": "DE", "cityText": "Ry", "phone": "1"})
    job = office.hand_in([{"contactNo": "7", "city": "Ribe"}], "update")
    assert office.verdicts(job) == [("updated", None)]
    assert (office.book()[record]["cityText"], office.book()[record]["countryId"]) == ("Ribe", "DE")
    assert office.written() == [("update", record)]


def test_b8_an_update_never_creates(office: Office) -> None:
    job = office.hand_in([{"contactNo": "7", "name": "A"}, {"contactNo": "", "city": "Ry", "name": ""}], "update")
    assert office.verdicts(job) == [("rejected", "not_found"), ("rejected", "no_key")]
    assert office.written() == []
    skipped = office.hand_in([{"contactNo": "8", "name": "A"}], "update", on_missing="skip")
    assert office.verdicts(skipped) == [("skipped", "not_found")]


def test_an_update_that_changes_nothing_sends_nothing(office: Office) -> None:
    office.there({"name": "A ApS", "contactNo": "7", "phone": "+45 12 34 56 78"})
    job = office.hand_in([{"contactNo": "7", "phone": "12345678", "name": "a aps"}], "update")
    assert office.verdicts(job) == [("unchanged", None)]
    assert office.written() == []


def test_b7_an_archived_record_is_skipped_or_restored(office: Office) -> None:
    [record] = office.there({"name": "A ApS", "contactNo": "7", "isArchived": True})
    rows = [{"contactNo": "7", "city": "Ribe"}]
    assert office.verdicts(office.hand_in(rows, "update")) == [("skipped", "archived")]
    job = office.hand_in([*rows, {"contactNo": "9", "city": ""}], "update", on_archived="restore", max_error_rate=1.0)
    assert office.verdicts(job)[0] == ("updated", None)
    assert (office.book()[record]["isArchived"], office.book()[record]["cityText"]) == (False, "Ribe")


# -- delete ------------------------------------------------------------------------------------------------------------


def test_a_delete_on_the_command_line_deletes_what_it_names(office: Office) -> None:
    first, *others = office.there(*({"name": f"K{n}", "contactNo": str(n)} for n in range(10)))
    job = office.hand_in([{"contactNo": "0"}], "delete")
    assert (job.status, office.verdicts(job)) == ("completed", [("deleted", None)])
    assert set(office.book()) == set(others)
    item = load_job(office.settings, office.engine, job.job_id).journal.items()[0]
    assert (item.billy_id, (item.before_image or {})["name"]) == (first, "K0")


def test_b17_an_unknown_id_is_not_found_although_billy_answers_200(office: Office) -> None:
    office.there(*({"name": f"K{n}", "contactNo": str(n)} for n in range(10)))
    job = office.hand_in([{"contactNo": "99"}], "delete")
    assert (job.status, office.verdicts(job)) == ("failed", [("rejected", "not_found")])
    assert job.errors[-1]["code"] == "too_many_rejected", "a delete is all or nothing unless told otherwise (B21)"


def test_the_same_delete_again_takes_no_other_record_of_that_name(office: Office) -> None:
    first, *others = office.there(*({"name": "Netto", "contactNo": str(n)} for n in range(17, 27)))
    rows = [{"contactNo": "17", "name": "Netto"}]
    assert office.verdicts(office.hand_in(rows, "delete")) == [("deleted", None)]
    again = office.hand_in(rows, "delete", again=True)
    assert office.verdicts(again) == [("rejected", "not_found")]
    assert set(office.book()) == set(others)
    assert first not in office.book()


def test_b17_a_dropped_delete_waits_for_a_person(office: Office) -> None:
    records = office.there(*({"name": f"K{n}", "contactNo": str(n)} for n in range(10)))
    job = office.hand_in([{"contactNo": "0"}], "delete", launch=True)
    assert job.status == "planned"
    assert job.planned["delete"] == 1
    assert f"billy apply {job.job_id}" in (job.message or "")
    assert set(office.book()) == set(records)
    applied = office.apply(job)
    assert (applied.status, office.verdicts(applied)) == ("completed", [("deleted", None)])
    with pytest.raises(NotApplicable):
        apply_plan(office.engine, job.job_id, launch=False)


def test_b17_many_deletes_need_their_number_typed(office: Office) -> None:
    records = office.there(*({"name": f"K{n}", "contactNo": str(n)} for n in range(10)))
    job = office.hand_in([{"contactNo": str(n)} for n in range(3)], "delete")
    assert job.status == "planned"
    assert "--confirm-count 3" in (job.message or "")
    again = office.apply(job, confirm_count=2)
    assert again.status == "planned"
    assert set(office.book()) == set(records)
    done = office.apply(again, confirm_count=3)
    assert (done.status, done.counts["deleted"]) == ("completed", 3)
    assert set(office.book()) == set(records[3:])


def test_b18_what_billy_keeps_is_archived_and_called_so(office: Office) -> None:
    first, *_ = office.there(*({"name": f"K{n}", "contactNo": str(n)} for n in range(10)))
    office.sandbox.sandbox.mark_in_use(first)
    job = office.hand_in([{"contactNo": "0"}], "delete")
    assert office.verdicts(job) == [("archived", None)]
    assert office.book()[first]["isArchived"] is True
    assert (job.counts["archived"], job.counts["deleted"]) == (1, 0)


def test_b18_unless_that_was_not_wanted(office: Office) -> None:
    first, *_ = office.there(*({"name": f"K{n}", "contactNo": str(n)} for n in range(10)))
    office.sandbox.sandbox.mark_in_use(first)
    job = office.hand_in([{"contactNo": "0"}], "delete", archive_if_used=False)
    assert office.verdicts(job) in ([("failed", "billy_refused")], [("rejected", "in_use")])
    assert office.book()[first]["isArchived"] is False


# -- applied plans -----------------------------------------------------------------------------------------------------


def test_a_dry_run_is_carried_out_as_planned(office: Office) -> None:
    office.there({"name": "A ApS", "contactNo": "7", "cityText": "Ry"})
    rows = [{"name": "A ApS", "contactNo": "7", "city": "Ribe"}, {"name": "Ny ApS", "contactNo": "8", "city": ""}]
    planned = office.hand_in(rows, "import", on_existing="update", dry_run=True)
    assert (planned.status, office.written()) == ("planned", [])
    done = office.apply(planned)
    assert (done.job_id, done.status) == (planned.job_id, "completed")
    assert office.verdicts(done) == [("updated", None), ("created", None)]


def test_a_row_whose_record_has_changed_since_the_plan_is_left_alone(office: Office) -> None:
    changed, _ = office.there(
        {"name": "A ApS", "contactNo": "7", "cityText": "Ry"}, {"name": "B ApS", "contactNo": "8", "cityText": "Ry"}
    )
    rows = [{"name": "A ApS", "contactNo": "7", "city": "Ribe"}, {"name": "B ApS", "contactNo": "8", "city": "Ribe"}]
    planned = office.hand_in(
        [*rows, {"name": "Ny ApS", "contactNo": "9", "city": ""}], "import", on_existing="update", dry_run=True
    )
    office.sandbox.sandbox.change_contact(changed, cityText="Roskilde")
    office.there({"name": "Ny ApS", "contactNo": "9"})
    done = office.apply(planned)
    assert office.verdicts(done) == [
        ("failed", "changed_since_plan"),
        ("updated", None),
        ("failed", "changed_since_plan"),
    ]
    assert office.book()[changed]["cityText"] == "Roskilde"
    assert len(office.book()) == 3


def test_a_planned_file_that_is_dropped_again_is_a_new_job(office: Office) -> None:
    office.there({"name": "A", "contactNo": "0"})
    job = office.hand_in([{"contactNo": "0"}], "delete", launch=True)
    received = take_in(office.settings, office.engine, office.folder / "kunder.csv", operation="delete", launch=True)
    assert (received.reception, received.job.job_id) == (Reception.NEW, f"{job.job_id}-2")


# -- a change that needs two requests --------------------------------------------------------------------------------


ROW = {"contactNo": "7", "city": "Aalborg", "email": "ny@kunde.example"}


def _to_be_moved(office: Office) -> None:
    """A customer who moves and has a new e-mail: two requests, of which Billy refuses the second to this token."""
    person = {"name": "Anna", "email": "gammel@kunde.example", "isPrimary": True}
    office.there({"name": "Kunde ApS", "contactNo": "7", "countryId": "DK", "contactPersons": [person]})
    office.sandbox.sandbox.switch(forbidden_resource="contactPersons")


def _is_moved(office: Office) -> bool:
    [contact], [person] = office.book().values(), office.sandbox.sandbox.contact_persons
    return (contact["cityText"], person["email"]) == ("Aalborg", "ny@kunde.example")


def test_half_a_change_is_never_called_unprocessed_and_is_finished_when_the_job_goes_on(office: Office) -> None:
    _to_be_moved(office)
    row = office.hand_in([ROW], "update")
    assert (row.status, row.errors[-1]["code"]) == ("failed", "token_refused")
    assert (row.counts["failed"], row.counts["unprocessed"]) == (1, 0)
    assert office.verdicts(row) == [("outcome_unknown", "outcome_unknown")]
    office.sandbox.sandbox.switch(forbidden_resource=None)
    assert run_job(office.settings, office.engine, row.job_id).counts["updated"] == 1
    assert _is_moved(office)


def test_an_applied_plan_finishes_its_own_half_and_takes_it_for_nobody_elses(office: Office) -> None:
    _to_be_moved(office)
    row = office.apply(office.hand_in([ROW], "update", dry_run=True))
    assert row.status == "failed"
    office.sandbox.sandbox.switch(forbidden_resource=None)
    again = run_job(office.settings, office.engine, row.job_id)
    assert again.counts["updated"] == 1, office.verdicts(again)
    assert _is_moved(office)
