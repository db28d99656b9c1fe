"""Files of contacts, customers and suppliers alike, against the books: the plan, the books after it, the verdicts; in
each mode Billy may have (rules B1, B3, B7, B8, B17, B18)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.schemas.contacts import CONTACTS
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.whole_jobs import SWITCHES, Office

BOOKKEEPER = {"name": "Bogholderiet", "email": "faktura@aeblehaven.example", "isPrimary": True}
AASE = {"name": "Åse Ørsted", "email": "aase@aeblehaven.example", "isPrimary": False}


@pytest.fixture
def office(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Office:
    """Books with a customer of two persons, an archived one, a supplier, and a customer from Germany."""
    sandbox.sandbox.add(
        "contacts",
        [
            {
                "id": "c1",
                "name": "Æblehaven ApS",
                "countryId": "DK",
                "contactNo": "1",
                "isCustomer": True,
                "contactPersons": [BOOKKEEPER, AASE],
            },
            {
                "id": "c2",
                "name": "Lukket ApS",
                "countryId": "DK",
                "contactNo": "2",
                "isCustomer": True,
                "isArchived": True,
            },
            {"id": "c3", "name": "Leverandøren A/S", "countryId": "DK", "contactNo": "3", "isSupplier": True},
            {"id": "c4", "name": "Beispiel GmbH", "countryId": "DE", "contactNo": "4", "isCustomer": True},
        ],
    )
    return Office.of(CONTACTS, settings, engine, sandbox, tmp_path, monkeypatch)


@pytest.fixture(params=SWITCHES, ids=str)
def any_billy(request: pytest.FixtureRequest, sandbox: SandboxServer) -> None:
    sandbox.sandbox.switch(**request.param)


def contact(office: Office, **wanted: Any) -> dict[str, Any]:
    """The one contact in the books with these values."""
    [found] = [each for each in office.records("contacts") if wanted.items() <= each.items()]
    return found


def emails(office: Office, contact_id: str) -> set[str]:
    return {str(each["email"]) for each in office.records("contactPersons") if each["contactId"] == contact_id}


def account_id(office: Office, number: int) -> str:
    [found] = [each["id"] for each in office.records("accounts") if each["accountNo"] == number]
    return str(found)


def put_on_an_invoice(office: Office, contact_id: str) -> None:
    [product_id] = office.sandbox.sandbox.add("products", [{"name": "Vare"}])
    line = {"productId": product_id, "quantity": 1, "unitPrice": 10}
    office.sandbox.sandbox.add("invoices", [{"contactId": contact_id, "entryDate": "2026-02-03", "lines": [line]}])


# -- import ------------------------------------------------------------------------------------------------------------

FILE = [
    {"contactNo": "1", "name": "Æblehaven ApS", "email": "ny@aeblehaven.example"},
    {"contactNo": "2", "name": "Lukket ApS"},
    {"contactNo": "3", "name": "leverandøren  A/S"},
    {"contactNo": "4", "name": "Beispiel GmbH", "phone": "+49 30 000000"},
    {"contactNo": "5", "name": "Ny leverandør", "isSupplier": "ja", "isCustomer": "nej", "expenseAccountNo": "1310"},
    {"contactNo": "6", "name": "Uden konto", "expenseAccountNo": "1311"},
]
IMPORTS: dict[str, tuple[list[str], list[str], list[str]]] = {
    "skip": (
        [*["skipped"] * 4, "create", "rejected"],
        [*["skipped"] * 4, "created", "rejected"],
        ["exists", "archived", "exists", "exists", "", "account_unknown"],
    ),
    "update": (
        ["update", "skipped", "unchanged", "update", "create", "rejected"],
        ["updated", "skipped", "unchanged", "updated", "created", "rejected"],
        ["", "archived", "", "", "", "account_unknown"],
    ),
    "create": (
        [*["create"] * 5, "rejected"],
        [*["created"] * 5, "rejected"],
        [*[""] * 5, "account_unknown"],
    ),
    "fail": (
        ["rejected", "skipped", "rejected", "rejected", "create", "rejected"],
        ["rejected", "skipped", "rejected", "rejected", "created", "rejected"],
        ["already_exists", "archived", "already_exists", "already_exists", "", "account_unknown"],
    ),
}


@pytest.mark.parametrize("on_existing", IMPORTS)
def test_an_import_does_with_each_row_what_the_plan_says_b1_b3_b7_b8(
    office: Office, any_billy: None, on_existing: str
) -> None:
    actions, verdicts, codes = IMPORTS[on_existing]
    done = office.carry_out("import", FILE, on_existing=on_existing)
    assert (done.actions, done.verdicts, done.codes) == (actions, verdicts, codes)
    primary = "ny@aeblehaven.example" if on_existing == "update" else BOOKKEEPER["email"]
    assert emails(office, "c1") == {primary, AASE["email"]}
    assert contact(office, id="c4")["countryId"] == "DE"
    assert contact(office, id="c3")["isCustomer"] is False
    assert len(office.records("contacts")) == 4 + verdicts.count("created")
    new = contact(office, contactNo="5")
    assert (new["isSupplier"], new["isCustomer"], new["countryId"]) == (True, False, "DK")
    assert new["defaultExpenseAccountId"] == account_id(office, 1310)


@pytest.mark.parametrize("on_existing", ["skip", "update"])
def test_the_same_file_again_changes_nothing(office: Office, any_billy: None, on_existing: str) -> None:
    office.carry_out("import", FILE[:5], on_existing=on_existing)
    before = len(office.sandbox.sandbox.ledger)
    done = office.carry_out("import", FILE[:5], on_existing=on_existing)
    assert set(done.verdicts) <= {"unchanged", "skipped"}
    assert len(office.sandbox.sandbox.ledger) == before


def test_a_supplier_is_no_less_a_contact_b7(office: Office) -> None:
    """As a customer it would lack a role; as a contact it has all it needs."""
    done = office.carry_out("import", [{"contactNo": "3", "name": "Leverandøren A/S"}])
    assert (done.verdicts, done.codes) == (["skipped"], ["exists"])


def test_an_account_that_cannot_be_read_stops_only_the_rows_that_name_one(office: Office) -> None:
    office.sandbox.sandbox.switch(forbidden_resource="accounts")
    done = office.carry_out("import", [*FILE[4:5], {"contactNo": "7", "name": "Uden konto ApS"}])
    assert (done.verdicts, done.codes) == (["rejected", "created"], ["reference_unavailable", ""])


# -- update ------------------------------------------------------------------------------------------------------------


def test_an_update_changes_only_what_the_file_has_b1_b3_b8(office: Office, any_billy: None) -> None:
    rows = [
        {"id": "c1", "email": "ny@aeblehaven.example"},
        {"id": "c3", "isCustomer": "ja"},
        {"contactNo": "404", "email": "x@ukendt.example"},
        {"id": "gone", "email": "x@ukendt.example"},
        {"email": "x@ukendt.example"},
    ]
    done = office.carry_out("update", rows)
    assert done.actions == ["update", "update", "rejected", "rejected", "rejected"]
    assert done.verdicts == ["updated", "updated", "rejected", "rejected", "rejected"]
    assert done.codes == ["", "", "not_found", "not_found", "no_key"]
    assert emails(office, "c1") == {"ny@aeblehaven.example", AASE["email"]}
    both = contact(office, id="c3")
    assert (both["isCustomer"], both["isSupplier"], both["name"]) == (True, True, "Leverandøren A/S")
    assert office.carry_out("update", rows[:2]).verdicts == ["unchanged", "unchanged"]


# -- delete ------------------------------------------------------------------------------------------------------------


def test_a_contact_in_use_is_archived_the_others_are_deleted_b17_b18(office: Office, any_billy: None) -> None:
    put_on_an_invoice(office, "c1")
    done = office.carry_out("delete", [{"id": "c1"}, {"contactNo": "3"}, {"id": "gone"}])
    assert done.actions == ["archive", "delete", "rejected"]
    assert done.verdicts == ["archived", "deleted", "rejected"]
    assert done.codes == ["", "", "not_found"]
    assert {each["id"]: each["isArchived"] for each in office.records("contacts")} == {
        "c1": True,
        "c2": True,
        "c4": False,
    }
    assert emails(office, "c1") == {BOOKKEEPER["email"], AASE["email"]}


def test_a_contact_in_use_stays_where_archiving_is_not_wanted_b17(office: Office, any_billy: None) -> None:
    put_on_an_invoice(office, "c1")
    done = office.carry_out("delete", [{"id": "c1"}, {"id": "c3"}], archive_if_used=False)
    assert (done.verdicts, done.codes) == (["rejected", "deleted"], ["in_use", ""])
    assert contact(office, id="c1")["isArchived"] is False


def test_a_contact_that_billy_keeps_for_its_own_reasons_is_archived_b18(office: Office) -> None:
    office.sandbox.sandbox.mark_in_use("c3")
    done = office.carry_out("delete", [{"id": "c3"}])
    assert (done.actions, done.verdicts) == (["delete"], ["archived"])
    assert contact(office, id="c3")["isArchived"] is True
