"""What a file means against the books, decided before the first write (rules B1, B3, B5, B7, B8, B21)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from billy_pipelines.billy.models import Contact
from billy_pipelines.bulk.matching import Register
from billy_pipelines.bulk.options import JobOptions, OnExisting
from billy_pipelines.bulk.planning import Plan, Planner
from billy_pipelines.bulk.verdicts import CREATE, PLANNED, UPDATE, VALID, Verdict
from billy_pipelines.database.items import Item, PlannedItem
from billy_pipelines.database.jobs import JobRow
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.schemas.contact_meaning import row_as_contact
from billy_pipelines.schemas.customers import CUSTOMERS
from billy_pipelines.schemas.resource import PlanTerms, Resolved
from billy_pipelines.settings import Organization, Settings
from billy_pipelines_tests.bulk.jobs import check_accounts, customers_csv, numbered, run_job, take_in

CVR = "10000009"  # its check digits are right
PRESENT = {"name": "Prøve ApS", "contactNo": "7", "city": "Århus", "phone": "12345678", "email": "post@prove.example"}
NEW = {"name": "Ny ApS", "contactNo": "8"}


def contact(fields: dict[str, Any], record_id: str = "c1", **keys: Any) -> Contact:
    """A contact as Billy has it: fields by the names of our columns, and Billy's own keys."""
    return row_as_contact(fields, record_id).model_copy(update=keys)


def item_of(row: dict[str, Any], index: int = 0, details: list[Any] | None = None) -> Item:
    """A valid row of the journal; the first one stands on line 2 of its file."""
    return Item(index, index + 2, row, VALID, None, row["name"], None, None, None, 0, None, None, details)


def plan(rows: list[dict[str, Any]], *records: Contact, operation: str = "import", **options: Any) -> Plan:
    chosen = JobOptions(**options)
    terms = PlanTerms(Organization(name="default"), operation)
    planner = Planner(CUSTOMERS, chosen, Register(CUSTOMERS, records, chosen.match_on), terms)
    planner.name_all(item_of(row, index) for index, row in enumerate(rows))
    for index, row in enumerate(rows):
        planner.add(item_of(row, index), Resolved(row), planner.match(row))
    return planner.plan


def plan_one(row: dict[str, Any], *records: Contact, **options: Any) -> PlannedItem:
    [decided] = plan([row], *records, **options).items
    return decided


def codes(decided: PlannedItem) -> list[str]:
    return [detail["code"] for detail in decided.details or [] if isinstance(detail, dict)]


def run(settings: Settings, engine: Engine, folder: Path, rows: list[dict[str, str]], **options: Any) -> JobRow:
    """The whole way: take a file in and carry the job out."""
    file = customers_csv(folder / "customers.csv", rows)
    return run_job(settings, engine, take_in(settings, engine, file, **options).job.job_id)


# -- what to do with a row that Billy has ------------------------------------------------------------------------------


@pytest.mark.parametrize("on_existing", list(OnExisting))
def test_a_row_that_billy_does_not_have_is_created(on_existing: OnExisting) -> None:
    decided = plan_one(NEW, contact(PRESENT), on_existing=on_existing)
    assert (decided.status, decided.action, decided.billy_id) == (PLANNED, CREATE, None)


def test_skip_leaves_the_record_and_names_the_fields_that_differ_b8() -> None:
    row = {**PRESENT, "city": "Odense", "email": "ny@prove.example"}
    decided = plan_one(row, contact(PRESENT))
    assert (decided.status, decided.action, decided.billy_id) == (Verdict.SKIPPED, None, "c1")
    assert (decided.error_code, decided.error) == ("exists", "exists already in Billy (differs: city, email).")


def test_skip_of_an_equal_row_names_no_field_b8() -> None:
    row = {**PRESENT, "phone": "+45 12 34 56 78", "city": "ÅRHUS"}
    assert plan_one(row, contact(PRESENT)).error == "exists already in Billy."


def test_update_holds_old_and_new_of_what_differs_and_of_nothing_else_b1() -> None:
    german = contact(PRESENT, countryId="DE")
    decided = plan_one({"name": "Prøve ApS", "contactNo": "7", "city": "Odense"}, german, on_existing="update")
    assert (decided.status, decided.action, decided.billy_id) == (PLANNED, UPDATE, "c1")
    assert decided.changes == {"city": ["Århus", "Odense"]}
    assert decided.before_image == german.image()


def test_update_clears_only_what_the_row_says_to_clear_b4() -> None:
    decided = plan_one({"name": "Prøve ApS", "contactNo": "7", "phone": None}, contact(PRESENT), on_existing="update")
    assert decided.changes == {"phone": ["12345678", None]}


def test_update_of_an_equal_row_is_no_update() -> None:
    decided = plan_one({**PRESENT, "city": "århus"}, contact(PRESENT), on_existing="update")
    assert (decided.status, decided.action, decided.billy_id) == (Verdict.UNCHANGED, None, "c1")


def test_create_makes_a_new_record_whatever_is_there_and_remembers_those_of_its_name() -> None:
    decided = plan([PRESENT, PRESENT], contact(PRESENT), contact(PRESENT, "c2"), on_existing="create").items
    assert [(one.status, one.action, one.billy_id) for one in decided] == [(PLANNED, CREATE, None)] * 2
    assert [one.before_image for one in decided] == [{"same_name_ids": ["c1", "c2"]}] * 2


def test_fail_rejects_a_row_that_billy_has() -> None:
    decided = plan_one(PRESENT, contact(PRESENT), on_existing="fail")
    assert (decided.status, decided.action, decided.error_code) == (Verdict.REJECTED, None, "already_exists")
    assert "customer c1 exists already" in (decided.error or "")


@pytest.mark.parametrize("primaries", [0, 2])
def test_an_email_for_a_contact_without_a_clear_primary_person_is_rejected_b3(primaries: int) -> None:
    person = (contact(PRESENT).contactPersons or [])[0]
    persons = [person.model_copy(update={"id": f"p{n}", "isPrimary": n < primaries}) for n in range(2)]
    record = contact(PRESENT).with_persons(persons)
    row = {**PRESENT, "email": "ny@prove.example", "city": "Odense"}
    assert plan_one(row, record, on_existing="update").error_code == "primary_person_unclear"
    without_email = {**row, "email": PRESENT["email"]}
    assert plan_one(without_email, record, on_existing="update").changes == {"city": ["Århus", "Odense"]}


@pytest.mark.parametrize("on_existing", ["skip", "update", "fail"])
def test_an_archived_record_is_skipped_with_that_reason_b7(on_existing: str) -> None:
    row = {**PRESENT, "city": "Odense"}
    decided = plan_one(row, contact(PRESENT, isArchived=True), on_existing=on_existing)
    assert (decided.status, decided.action, decided.error_code) == (Verdict.SKIPPED, None, "archived")


def test_a_supplier_who_is_no_customer_is_named_b7() -> None:
    decided = plan_one({**PRESENT, "city": "Odense"}, contact(PRESENT, isCustomer=False, isSupplier=True))
    assert (decided.status, decided.error_code) == (Verdict.SKIPPED, "supplier_only")
    assert "supplier only (differs: city)" in (decided.error or "")


def test_only_update_makes_a_supplier_a_customer_too_and_the_plan_says_so_b7() -> None:
    supplier = contact(PRESENT, isCustomer=False, isSupplier=True)
    decided = plan_one(PRESENT, supplier, on_existing="update")
    assert (decided.action, decided.changes) == (UPDATE, {"isCustomer": [False, True]})


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({**NEW, "id": "gone"}, "not_found"),
        ({"name": "Prøve ApS", "phone": "87654321"}, "possible_duplicate"),
        ({"name": "Tvilling ApS"}, "ambiguous_match"),
    ],
)
def test_a_row_whose_record_is_not_clear_is_rejected_and_names_what_there_is_b5(row: dict[str, str], code: str) -> None:
    twins = [contact({"name": "Tvilling ApS"}, record_id) for record_id in ("t1", "t2")]
    decided = plan_one(row, contact(PRESENT), *twins)
    assert (decided.status, decided.action, decided.error_code) == (Verdict.REJECTED, None, code)
    named = {"not_found": ["id gone"], "possible_duplicate": ["c1", "phone"], "ambiguous_match": ["t1", "t2"]}
    assert [word for word in named[code] if word not in (decided.error or "")] == []


# -- rows of one file against each other -------------------------------------------------------------------------------


@pytest.mark.parametrize("on_existing", ["skip", "update", "fail"])
@pytest.mark.parametrize(
    "twin", [{**NEW, "name": "Andet navn"}, {"name": "NY APS"}, {**NEW, "city": "Odense"}], ids=["no", "name", "both"]
)
def test_a_second_row_of_one_new_record_is_rejected_and_names_the_first(twin: dict[str, str], on_existing: str) -> None:
    first, second = plan([NEW, twin], on_existing=on_existing).items
    assert (first.action, second.status) == (CREATE, Verdict.REJECTED)
    assert second.error_code == "duplicate_in_file"
    assert "line 2" in (second.error or "")


@pytest.mark.parametrize("on_existing", ["skip", "update", "fail"])
def test_a_second_row_of_one_record_in_billy_is_rejected_and_names_the_first(on_existing: str) -> None:
    rows = [NEW, {"name": "Andet navn", "contactNo": "7"}, {"name": "Prøve ApS", "city": "Odense"}]
    last = plan(rows, contact(PRESENT), on_existing=on_existing).items[-1]
    assert (last.status, last.error_code, last.billy_id) == (Verdict.REJECTED, "duplicate_in_file", "c1")
    assert "line 3" in (last.error or "")


def test_rows_of_one_name_that_contradict_each_other_are_two_records_with_a_warning_b5() -> None:
    rows = [{"name": "Ny ApS", "zipcode": "2630"}, {"name": "Ny ApS", "zipcode": "8000"}]
    first, second = plan(rows).items
    assert (first.action, second.action) == (CREATE, CREATE)
    assert (codes(first), codes(second)) == ([], ["same_name_in_file"])
    assert "line 2" in (second.details or [])[0]["message"]  # type: ignore[index]


def test_two_departments_with_a_number_each_are_two_records_b6() -> None:
    first, second = ({"name": f"Prøve afd. {n}", "vatNo": CVR, "contactNo": n} for n in "12")
    assert [item.action for item in plan([first, second]).items] == [CREATE, CREATE]
    [there] = plan([second], contact(first)).items
    assert there.action == CREATE, "a record's number counts as much as a row's"
    again, unnumbered = plan([first, {**second, "contactNo": ""}]).items
    assert (again.action, unnumbered.error_code) == (CREATE, "duplicate_in_file")


def test_a_row_by_name_takes_no_record_that_another_row_names_by_a_number() -> None:
    there = contact({"name": "Prøve ApS", "contactNo": "7", "vatNo": CVR})
    by_name, by_cvr = {"name": "Prøve ApS"}, {"name": "Nyt navn", "vatNo": CVR}
    for weak in (by_name, by_cvr):
        rows = [{**weak, "phone": "12345678"}, {"name": "Andet navn", "contactNo": "7", "phone": "87654321"}]
        first, second = plan(rows, there, operation="update").items
        assert (first.status, first.error_code, first.billy_id) == (Verdict.REJECTED, "duplicate_in_file", "c1")
        assert "line 3" in (first.error or "")
        assert (second.action, second.billy_id) == (UPDATE, "c1")
    [alone] = plan([by_name], there).items
    assert alone.error_code == "exists"


def test_a_cvr_number_with_two_eans_is_two_records_b6() -> None:
    eans = ("5790000000005", "5790000000012")
    rows = [{"name": f"Kommunen {n}", "vatNo": CVR, "ean": ean} for n, ean in enumerate(eans)]
    assert [one.action for one in plan(rows).items] == [CREATE, CREATE]


def test_match_on_holds_for_the_rows_of_the_file_too() -> None:
    rows = [{"name": "Ny ApS", "contactNo": "1"}, {"name": "Ny ApS", "contactNo": "2"}]
    assert [one.action for one in plan(rows, match_on=["contactNo"]).items] == [CREATE, CREATE]
    again = plan([*rows, {"name": "Andet navn", "contactNo": "1"}], match_on=["contactNo"]).items[-1]
    assert again.error_code == "duplicate_in_file"


def test_planning_anew_keeps_what_validation_said_and_says_its_own_words_anew() -> None:
    said = [{"code": "vat_check_digit", "stage": "file"}, {"code": "ambiguous_match", "stage": "plan"}]
    planner = Planner(CUSTOMERS, JobOptions(), Register(CUSTOMERS, []), PlanTerms(Organization(name="default")))
    planner.add(item_of(NEW, details=said), Resolved(NEW), planner.match(NEW))
    assert codes(planner.plan.items[0]) == ["vat_check_digit"]


# -- the whole way -----------------------------------------------------------------------------------------------------


def test_an_update_changes_nothing_but_the_columns_of_the_file_b1(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    body = {"name": "Prøve GmbH", "type": "person", "countryId": "DE", "contactNo": "7", "cityText": "Kiel"}
    persons = [{"name": "Anna", "email": "anna@prove.example", "isPrimary": True}]
    supplier = {"isSupplier": True, "isCustomer": False, "phone": "12345678", "contactPersons": persons}
    sandbox.sandbox.add_contacts([{**body, **supplier}])
    [before] = [dict(record) for record in sandbox.sandbox.contacts]
    rows = [{"name": "Prøve GmbH", "contactNo": "7", "city": "Lübeck", "phone": ""}]
    row = run(settings, engine, tmp_path, rows, on_existing="update")
    [after] = [dict(record) for record in sandbox.sandbox.contacts]
    assert row.counts == {**row.counts, "updated": 1, "total": 1}
    changed = {key: after[key] for key in after if after[key] != before[key]}
    assert changed == {"cityText": "Lübeck", "isCustomer": True}


def test_a_dry_run_says_what_would_be_done_and_only_reads(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    there = [{"name": f"Kunde {n:05d} ApS", "cityText": city, "isCustomer": True} for n, city in enumerate("ABÅ")]
    sandbox.sandbox.add_contacts([*there, {"name": "Tvilling ApS"}, {"name": "Tvilling ApS"}])
    rows = [{"name": entry["name"], "city": "Å"} for entry in numbered(5)]
    row = run(settings, engine, tmp_path, [*rows, {"name": "Tvilling ApS"}], on_existing="update", dry_run=True)
    assert (row.status, row.planned) == ("planned", {"create": 2, "update": 2, "archive": 0, "delete": 0})
    assert row.counts == {**row.counts, "unchanged": 1, "rejected": 1, "unprocessed": 4, "total": 6}
    assert not sandbox.sandbox.ledger


@pytest.mark.parametrize(
    ("good", "wrong", "options", "passes"),
    [
        (1, 5, {}, True),
        (20, 6, {}, False),
        (1, 5, {"max_error_rate": 0.01}, True),
        (20, 1, {"max_error_rate": 0}, False),
        (20, 0, {"max_error_rate": 0}, True),
        (24, 6, {"max_error_rate": 0.2}, True),
        (23, 7, {"max_error_rate": 0.2}, False),
        (1, 9, {"validate_before_create": False}, True),
        (1, 9, {"validate_before_create": False, "max_error_rate": 0}, True),
    ],
)
def test_the_gate_lets_five_wrong_rows_or_the_share_pass_and_with_zero_none_b21(
    good: int,
    wrong: int,
    options: dict[str, Any],
    passes: bool,
    settings: Settings,
    engine: Engine,
    sandbox: SandboxServer,
    tmp_path: Path,
) -> None:
    """Whether it passes or not, nothing invalid is ever sent."""
    rows = [*({"name": f"Forkert {n}", "email": "x@"} for n in range(wrong)), *numbered(good)]
    row = run(settings, engine, tmp_path, rows, **options)
    assert (row.counts["created"], row.counts["rejected"]) == (good if passes else 0, wrong)
    assert len(sandbox.sandbox.contacts) == row.counts["created"]
    assert [error["code"] for error in row.errors] == ([] if passes else ["too_many_rejected"])
    check_accounts(settings, engine, sandbox, row)


def test_the_gate_counts_what_the_file_and_what_the_plan_rejects_together_b21(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.sandbox.add_contacts([{"name": entry["name"]} for entry in numbered(3)])
    rows = [*numbered(10), *({"name": f"Forkert {n}", "email": "x@"} for n in range(3))]
    row = run(settings, engine, tmp_path, rows, on_existing="fail")
    assert (row.status, row.errors[-1]["code"]) == ("failed", "too_many_rejected")
    assert row.counts == {**row.counts, "rejected": 6, "unprocessed": 7, "total": 13}
    assert not sandbox.sandbox.ledger
