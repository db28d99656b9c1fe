"""The same file after an undo that had to leave something: what is in Billy, may be, or is not any more."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.execution import Execution
from billy_pipelines.bulk.verdicts import State
from billy_pipelines.database.jobs import JobRow, update_job
from billy_pipelines.sandbox import Fault
from billy_pipelines_tests.bulk.jobs import customers_csv, run_job, take_in
from billy_pipelines_tests.bulk.test_undo_kept import Office, invoice, office

__all__ = ["office"]

INVOICES: dict[str, Any] = {"resource": "invoices", "decimal": "point"}


def drop(office: Office, file: Path, **options: Any) -> JobRow:
    """Hand the file in as a new job, and run it."""
    return run_job(office.settings, office.engine, take_in(office.settings, office.engine, file, **options).job.job_id)


def ends(office: Office, job: JobRow) -> list[tuple[str, str | None]]:
    items = load_job(office.settings, office.engine, job.job_id).journal.items()
    return [(item.status, item.error_code) for item in items]


def lines(office: Office) -> list[str]:
    """The description of each invoice's line in Billy."""
    return sorted(str(each["description"]) for each in office.sandbox.records("invoiceLines"))


def billed(office: Office) -> Path:
    """A file of two invoices of which the second has two lines, and what they need in Billy."""
    office.there("contacts", {"name": "Kunde ApS", "contactNo": "17", "isCustomer": True})
    office.there("products", {"name": "Vare", "productNo": "1"})
    rows = [invoice(1, description="et"), invoice(2, description="to"), invoice(2, description="to mere")]
    return customers_csv(office.folder / "fakturaer.csv", rows)


def run_in_doubt(office: Office, file: Path, plural: str, of: str, edit: Any, **options: Any) -> JobRow:
    """A job of which one create is carried out without an answer, and edited by a person before the engine looks."""
    office.sandbox.switch(faults=[Fault(kind="5xx-after", resource=plural, methods=("POST",), body_contains=of)])
    real, looks = Execution.settle_and_plan, 0

    async def edited(self: Execution, *arguments: Any) -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            edit()
        await real(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Execution, "settle_and_plan", edited)
        job = drop(office, file, **options)
    office.sandbox.switch(faults=[])
    return job


def billed_in_doubt(office: Office, file: Path) -> JobRow:
    """The second invoice is in Billy, under an order number that a person has given it, and nobody can tell."""

    def edit() -> None:
        [line] = [each for each in office.sandbox.records("invoiceLines") if each["description"] == "to"]
        office.sandbox.change("invoices", line["invoiceId"], orderNo="4711")

    job = run_in_doubt(office, file, "invoices", '"to"', edit, **INVOICES)
    assert ends(office, job) == [("created", None), *[("failed", "outcome_unknown")] * 2]
    return job


def test_a_row_of_which_nobody_knows_is_not_sent_again_by_the_same_file(office: Office) -> None:
    file = billed(office)
    first = billed_in_doubt(office, file)
    undone = office.take_back(first)
    assert undone.target.status == "undone_partly"
    assert (undone.verdicts[0], set(undone.codes[1:])) == ("reversed", {"job_unsettled"})
    again = drop(office, file, **INVOICES)
    assert again.job_id == f"{first.job_id}-2"
    assert ends(office, again) == [("created", None), *[("rejected", "may_be_in_billy")] * 2]
    assert lines(office) == ["et", "to", "to mere"]
    assert again.status == "completed_with_errors", "the row may be missing: a person has to look"
    [_, row, _] = load_job(office.settings, office.engine, again.job_id).journal.items()
    assert row.error is not None
    assert first.job_id in row.error and "line 3 (2, 17)" in row.error and "rejected.csv" in row.error


def test_one_who_has_looked_and_missed_the_invoice_drops_the_row_by_itself(office: Office) -> None:
    file = billed(office)
    office.take_back(billed_in_doubt(office, file))
    [left] = office.sandbox.records("invoices")
    office.sandbox.delete("invoices", left["id"])
    again = drop(office, file, **INVOICES)
    rejected = load_job(office.settings, office.engine, again.job_id).folder / "rejected.csv"
    assert [row["code"] for row in csv.DictReader(rejected.open(encoding="utf-8-sig"), delimiter=";")] == [
        "may_be_in_billy",
        "may_be_in_billy",
    ]
    assert ends(office, drop(office, rejected, **INVOICES)) == [("created", None)] * 2
    assert lines(office) == ["et", "to", "to mere"]


def test_on_existing_create_makes_what_may_be_there(office: Office) -> None:
    file = billed(office)
    office.take_back(billed_in_doubt(office, file))
    again = drop(office, file, on_existing="create", **INVOICES)
    assert ends(office, again) == [("created", None)] * 3
    assert lines(office) == ["et", "to", "to", "to mere", "to mere"]


def test_a_contact_of_which_nobody_knows_is_found_by_its_number(office: Office) -> None:
    """What has a key needs no remembering; only what no key finds may be there under another name."""
    rows = [{"name": f"Kunde {n} ApS", "contactNo": str(n)} for n in range(3)]
    file = customers_csv(office.folder / "kunder.csv", rows)

    def edit() -> None:
        office.sandbox.change("contacts", office.one("contacts", contactNo="1")["id"], phone="99999999")

    first = run_in_doubt(office, file, "contacts", '"Kunde 1 ApS"', edit)
    assert ends(office, first)[1] == ("failed", "outcome_unknown")
    office.take_back(first)
    renumbered = office.one("contacts")["id"]
    assert ends(office, drop(office, file, dry_run=True))[1] == ("skipped", "exists")
    office.sandbox.change("contacts", renumbered, name="Omdøbt ApS", contactNo="1001")
    assert ends(office, drop(office, file)) == [("created", None), ("rejected", "may_be_in_billy"), ("created", None)]


def edited_and_kept(office: Office) -> tuple[Path, str]:
    """Two customers, of which the undo has left the second because it was edited; the file, and its id."""
    rows = [{"name": f"Kunde {n} ApS", "contactNo": str(n)} for n in range(2)]
    file = customers_csv(office.folder / "kunder.csv", rows)
    first = drop(office, file)
    kept = str(office.one("contacts", contactNo="1")["id"])
    office.sandbox.change("contacts", kept, phone="99999999")
    assert office.take_back(first).verdicts == ["reversed", "kept"]
    return file, kept


def test_what_an_undo_left_and_a_person_has_deleted_since_is_imported_afresh(office: Office) -> None:
    file, kept = edited_and_kept(office)
    office.sandbox.delete("contacts", kept)
    again = drop(office, file)
    assert (ends(office, again), again.status) == ([("created", None)] * 2, "completed")
    assert office.names() == {"Kunde 0 ApS", "Kunde 1 ApS"}


@pytest.mark.parametrize("filters", ["archived-only", "ignored"])
def test_what_an_undo_left_is_not_taken_for_gone_because_lists_hide_it(office: Office, filters: str) -> None:
    file, kept = edited_and_kept(office)
    office.sandbox.change("contacts", kept, isArchived=True, contactNo="1001", name="Omdøbt ApS")
    office.sandbox.switch(archived_in_lists="hidden", unproven_filters=filters)
    assert ends(office, drop(office, file)) == [("created", None), ("skipped", "kept_by_undo")]
    assert office.names() == {"Kunde 0 ApS", "Omdøbt ApS"}


def test_what_is_left_counts_while_another_undo_of_it_is_cut_off(office: Office) -> None:
    file, _ = edited_and_kept(office)
    first = take_in(office.settings, office.engine, file).job  # received after the first undo, run in the second
    undone = first.job_id.removesuffix("-2")
    update_job(office.engine, undone, status=State.UNDOING)
    again = run_job(office.settings, office.engine, first.job_id)
    assert ends(office, again) == [("created", None), ("skipped", "kept_by_undo")]
