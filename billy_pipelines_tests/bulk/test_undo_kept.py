"""What people did in between is left alone, and named: edits, invoices, approvals, records that are there again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from billy_pipelines.bulk.context import job_folder, load_job
from billy_pipelines.bulk.verdicts import Verdict
from billy_pipelines.database.items import Outcome
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import customers_csv, run_job, take_in
from billy_pipelines_tests.bulk.taking_back import Undone, books, take_back

TODAY = datetime.now(UTC).date().isoformat()
LONG_AGO = "2026-01-02T08:00:00"
SOMETIME = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")
"""After any job of these tests."""


class Office:
    """Somebody who hands files in, works in Billy, and takes jobs back."""

    def __init__(self, settings: Settings, engine: Engine, sandbox: SandboxServer, folder: Path) -> None:
        self.settings, self.engine, self.server, self.folder = settings, engine, sandbox, folder
        self.sandbox = sandbox.sandbox

    def run(self, resource: str, operation: str, rows: Sequence[Mapping[str, str]], **options: Any) -> JobRow:
        file = customers_csv(self.folder / "fil.csv", rows)
        how = {"resource": resource, "operation": operation, "max_error_rate": 1.0, **options}
        return run_job(self.settings, self.engine, take_in(self.settings, self.engine, file, **how).job.job_id)

    def take_back(self, job: JobRow, **asked: Any) -> Undone:
        return take_back(self.settings, self.engine, job.job_id, **asked)

    def there(self, plural: str, *records: dict[str, Any]) -> list[str]:
        """Records that were there long before; their ids."""
        return self.sandbox.add(plural, [{"createdTime": LONG_AGO, **record} for record in records])

    def one(self, plural: str, **wanted: Any) -> dict[str, Any]:
        [found] = [each for each in self.sandbox.records(plural) if wanted.items() <= each.items()]
        return found

    def names(self, plural: str = "contacts") -> set[str]:
        return {str(each["name"]) for each in self.sandbox.records(plural)}


@pytest.fixture
def office(settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> Office:
    return Office(settings, engine, sandbox, tmp_path)


NEW = [{"name": f"Kunde {n} ApS", "contactNo": str(n), "phone": f"1111222{n}"} for n in range(3)]

# -- edited since ------------------------------------------------------------------------------------------------------


def test_a_created_record_that_was_edited_stays(office: Office) -> None:
    job = office.run("customers", "import", NEW)
    edited = office.one("contacts", contactNo="1")["id"]
    office.sandbox.change("contacts", edited, phone="99999999", fax="1")
    untouched = office.one("contacts", contactNo="2")["id"]
    office.sandbox.change("contacts", untouched, accessCode="changed by Billy itself")
    undone = office.take_back(job)
    assert undone.verdicts == ["reversed", "kept", "reversed"]
    assert undone.codes[1] == "edited_since"
    assert undone.rows[1]["message"].startswith(f"phone, fax of {edited}")
    assert (undone.job.status, undone.target.status) == ("completed_with_errors", "undone_partly")
    assert office.names() == {"Kunde 1 ApS"}


def test_a_person_added_since_counts_as_an_edit(office: Office) -> None:
    job = office.run("customers", "import", NEW[:1])
    contact = office.one("contacts", contactNo="0")["id"]
    office.sandbox.add("contactPersons", [{"contactId": contact, "name": "Ny", "email": "ny@k.example"}])
    assert office.take_back(job).codes == ["edited_since"]


def test_an_update_gives_back_its_own_fields_and_leaves_others_edits(office: Office) -> None:
    [a, b] = office.there(
        "contacts",
        {"name": "A ApS", "contactNo": "1", "cityText": "Ry", "street": "Gl. Vej 1", "isCustomer": True},
        {"name": "B ApS", "contactNo": "2", "cityText": "Ry", "street": "Gl. Vej 2", "isCustomer": True},
    )
    rows = [{"contactNo": n, "city": "Ribe", "address": f"Ny Vej {n}"} for n in ("1", "2")]
    job = office.run("customers", "update", rows)
    office.sandbox.change("contacts", a, phone="99999999", cityText="Ry")
    office.sandbox.change("contacts", b, cityText="Roskilde")
    undone = office.take_back(job)
    assert undone.verdicts == ["reversed", "kept"]
    assert undone.rows[1]["message"].startswith(f"city of {b} changed")
    now = {each["id"]: each for each in office.sandbox.records("contacts")}
    assert (now[a]["cityText"], now[a]["street"], now[a]["phone"]) == ("Ry", "Gl. Vej 1", "99999999")
    assert (now[b]["cityText"], now[b]["street"]) == ("Roskilde", "Ny Vej 2"), "half an address is worse than either"


def test_persons_and_prices_are_restored_one_by_one(office: Office) -> None:
    primary = {"name": "Anna", "email": "anna@a.example", "isPrimary": True}
    [contact] = office.there(
        "contacts", {"name": "A ApS", "contactNo": "1", "isCustomer": True, "contactPersons": [primary]}
    )
    prices = [{"currencyId": "DKK", "unitPrice": 100}, {"currencyId": "EUR", "unitPrice": 14}]
    [product] = office.there("products", {"name": "Vare", "productNo": "1", "prices": prices})
    emails = office.run(
        "customers", "update", [{"contactNo": "1", "email": "ny@a.example", "invoiceEmail": "f@a.example"}]
    )
    amounts = office.run("products", "update", [{"productNo": "1", "unitPrice": "125.5"}])
    office.sandbox.add("contactPersons", [{"contactId": contact, "name": "Bo", "email": "bo@a.example"}])
    euro = office.one("productPrices", productId=product, currencyId="EUR")["id"]
    office.sandbox.change("productPrices", euro, unitPrice=15)
    assert office.take_back(emails).verdicts == ["reversed"]
    assert office.take_back(amounts).verdicts == ["reversed"]
    persons = {each["email"]: each["isPrimary"] for each in office.sandbox.records("contactPersons")}
    assert persons == {"anna@a.example": True, "bo@a.example": False}
    assert [each["unitPrice"] for each in office.sandbox.records("productPrices")] == [100, 15]


def test_a_person_edited_since_keeps_the_contact_as_it_is(office: Office) -> None:
    primary = {"name": "Anna", "email": "anna@a.example", "isPrimary": True}
    office.there("contacts", {"name": "A ApS", "contactNo": "1", "isCustomer": True, "contactPersons": [primary]})
    job = office.run("customers", "update", [{"contactNo": "1", "email": "ny@a.example", "city": "Ribe"}])
    office.sandbox.change("contactPersons", office.one("contactPersons")["id"], email="nyere@a.example")
    assert office.take_back(job).codes == ["edited_since"]
    assert office.one("contacts")["cityText"] == "Ribe"


def test_what_is_gone_already(office: Office) -> None:
    [updated] = office.there("contacts", {"name": "A ApS", "contactNo": "1", "isCustomer": True})
    job = office.run(
        "customers", "import", [*NEW[:1], {"name": "A ApS", "contactNo": "1", "phone": "2"}], on_existing="update"
    )
    office.sandbox.delete("contacts", office.one("contacts", contactNo="0")["id"])
    office.sandbox.delete("contacts", updated)
    undone = office.take_back(job)
    assert list(zip(undone.verdicts, undone.codes, strict=True)) == [
        ("reversed", "already_gone"),
        ("kept", "deleted_since"),
    ]
    assert undone.target.status == "undone_partly"


# -- in use ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["refused", "allowed"])
def test_what_is_used_by_now_stays_even_where_billy_would_delete_it(office: Office, mode: str) -> None:
    office.sandbox.switch(contact_in_use=mode, product_in_use=mode)
    contacts = office.run("customers", "import", NEW)
    products = office.run("products", "import", [{"name": "A", "productNo": "1"}, {"name": "B", "productNo": "2"}])
    contact, product = office.one("contacts", contactNo="1")["id"], office.one("products", productNo="1")["id"]
    line = {"productId": product, "quantity": 1, "unitPrice": 10}
    [invoice] = office.sandbox.add("invoices", [{"contactId": contact, "lines": [line]}])
    first = office.take_back(contacts)
    assert list(zip(first.verdicts, first.codes, strict=True))[1] == ("kept", "in_use_since")
    assert office.take_back(products).codes == ["in_use_since", ""]
    assert (office.names(), office.names("products")) == ({"Kunde 1 ApS"}, {"A"})
    office.sandbox.delete("invoices", invoice)
    again = office.take_back(contacts)
    assert (again.job.job_id, again.verdicts) == (f"{contacts.job_id}-undo-2", ["reversed"])
    assert again.target.status == "undone"
    assert office.names() == set()


def test_what_billy_keeps_for_a_reason_of_its_own_is_kept(office: Office) -> None:
    job = office.run("customers", "import", NEW[:1])
    office.sandbox.mark_in_use(office.one("contacts")["id"])
    undone = office.take_back(job)
    assert (undone.codes, undone.target.status) == (["billy_keeps"], "completed"), "nothing was taken back"


# -- invoices (B19) ----------------------------------------------------------------------------------------------------


def invoice(number: int, **more: str) -> dict[str, str]:
    usual = {"invoice": str(number), "contactNo": "17", "entryDate": TODAY, "productNo": "1", "unitPrice": "100.125"}
    return usual | {"quantity": "", "discountPercent": "", "description": ""} | more


def test_b19_what_is_booked_sent_or_numbered_stays_and_can_be_credited(office: Office) -> None:
    office.there("contacts", {"name": "Kunde ApS", "contactNo": "17", "isCustomer": True})
    office.there("products", {"name": "Vare", "productNo": "1"})
    rows = [*(invoice(n) for n in range(1, 6)), invoice(1, quantity="2.5", discountPercent="10", description="Uge 5")]
    job = office.run("invoices", "import", rows, decimal="point")
    assert len(office.sandbox.records("invoices")) == 5
    ids = [item.billy_id or "" for item in load_job(office.settings, office.engine, job.job_id).journal.items()]
    office.sandbox.change("invoices", ids[0], state="approved", invoiceNo="1001")
    office.sandbox.change("invoices", ids[1], sentState="sent")
    office.sandbox.change("invoices", ids[2], invoiceNo="1003")
    office.sandbox.change("invoices", ids[3], state="voided")
    before = books(office.server, "invoices")
    undone = office.take_back(job)
    codes = ["invoice_booked", "invoice_sent", "invoice_numbered", "edited_since", "", "invoice_booked"]
    assert (undone.codes, undone.verdicts) == (codes, [*["kept"] * 4, "reversed", "kept"])
    assert len(books(office.server, "invoices")) == len(before) - 1

    credit = job_folder(office.settings, job.job_id) / "credit_notes.csv"
    assert credit.read_bytes() == (job_folder(office.settings, undone.job.job_id) / "credit_notes.csv").read_bytes()
    office.sandbox.change("invoices", ids[2], state="approved")
    dropped = take_in(office.settings, office.engine, credit, resource="invoices", decimal="point").job
    crediting = run_job(office.settings, office.engine, dropped.job_id)
    assert (crediting.status, crediting.counts["created"]) == ("completed", 3)
    notes = {
        each["creditedInvoiceId"]: each for each in office.sandbox.records("invoices") if each["type"] == "creditNote"
    }
    invoices = {each["id"]: each for each in office.sandbox.records("invoices")}
    assert {key: note["grossAmount"] for key, note in notes.items()} == {
        each: invoices[each]["grossAmount"] for each in (ids[0], ids[2])
    }
    assert {note["state"] for note in notes.values()} == {"draft"}, "we never book one by ourselves"


def test_a_draft_that_was_approved_keeps_its_update(office: Office) -> None:
    office.there("contacts", {"id": "c1", "name": "Kunde ApS", "isCustomer": True})
    office.there("products", {"id": "p1", "name": "Vare"})
    line = {"productId": "p1", "quantity": 1, "unitPrice": 10}
    [draft] = office.there("invoices", {"contactId": "c1", "orderNo": "1", "lines": [line]})
    job = office.run("invoices", "update", [{"id": draft, "orderNo": "2"}])
    office.sandbox.change("invoices", draft, state="approved")
    assert office.take_back(job).codes == ["invoice_approved"]
    assert office.one("invoices")["orderNo"] == "2"


def test_a_row_that_failed_although_its_record_was_made_is_taken_back_too(office: Office) -> None:
    job = office.run("customers", "import", NEW[:2])
    [first, _] = load_job(office.settings, office.engine, job.job_id).journal.items()
    said = Outcome(first.item_index, Verdict.FAILED, error_code="draft_total_differs", error="its total differs")
    load_job(office.settings, office.engine, job.job_id).journal.write([said])
    assert office.take_back(job).verdicts == ["reversed", "reversed"]
    assert office.names() == set()


# -- deleted ones ------------------------------------------------------------------------------------------------------


def test_b19_a_record_that_is_there_again_is_not_made_a_second_time(office: Office) -> None:
    others = [{"name": f"Anden {n}", "contactNo": f"9{n}", "isCustomer": True} for n in range(20)]
    office.there(
        "contacts", *others, *({"name": "Netto", "contactNo": n, "isCustomer": True} for n in ("17", "18", "19"))
    )
    job = office.run("customers", "delete", [{"contactNo": "17"}, {"contactNo": "19"}])
    assert job.counts["deleted"] == 2
    office.sandbox.add("contacts", [{"name": "Netto", "contactNo": "19", "isCustomer": True, "createdTime": SOMETIME}])
    undone = office.take_back(job)
    # Both see the one that a person made: without a number of its own on the record it may be either of them.
    assert undone.codes[1] == "there_again"
    assert [each["contactNo"] for each in office.sandbox.records("contacts")].count("19") == 1


def test_a_namesake_that_was_there_before_is_no_obstacle_and_the_new_id_is_told(office: Office) -> None:
    others = [{"name": f"Anden {n}", "isCustomer": True} for n in range(20)]
    [*_, gone, _] = office.there(
        "contacts", *others, *({"name": "Netto", "contactNo": n, "isCustomer": True} for n in ("17", "18"))
    )
    job = office.run("customers", "delete", [{"contactNo": "17"}])
    [row] = office.take_back(job).rows
    new = office.one("contacts", contactNo="17")["id"]
    assert (row["verdict"], row["code"], row["billy_id"], row["new_id"]) == ("reversed", "made_again", gone, new)
    assert f"new id {new} (it was {gone})" in row["message"]


# -- a part ------------------------------------------------------------------------------------------------------------


def test_lines_and_kinds_can_be_chosen(office: Office) -> None:
    office.there("contacts", {"name": "A ApS", "contactNo": "9", "phone": "1", "isCustomer": True})
    job = office.run(
        "customers", "import", [*NEW, {"name": "A ApS", "contactNo": "9", "phone": "2"}], on_existing="update"
    )
    some = office.take_back(job, lines="3-4", only="created")
    assert ([row["line"] for row in some.rows], some.target.status) == (["3", "4"], "undone_partly")
    assert office.names() == {"Kunde 0 ApS", "A ApS"}
    updated = office.take_back(job, only="updated")
    assert ([row["line"] for row in updated.rows], updated.target.status) == (["5"], "undone_partly")
    rest = office.take_back(job)
    assert ([row["line"] for row in rest.rows], rest.target.status) == (["2"], "undone")
    told = (job_folder(office.settings, job.job_id) / "undo.csv").read_text("utf-8-sig").splitlines()
    assert [line.split(";")[3] for line in told[1:]] == ["reversed"] * 4, (
        "the job's own undo.csv tells of all its undos"
    )
