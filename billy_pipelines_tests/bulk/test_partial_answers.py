"""Answers to writes that do not tell the whole record (unverified): undo knows it all the same, at the least cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Engine

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.errors import OutcomeUnknown, UnexpectedAnswer
from billy_pipelines.billy.models import Contact
from billy_pipelines.bulk.told import Readback
from billy_pipelines.database.jobs import list_jobs
from billy_pipelines.sandbox import SandboxServer, writes
from billy_pipelines.sandbox.properties import checked
from billy_pipelines.schemas.contact_meaning import create_body
from billy_pipelines.schemas.customers import CUSTOMERS
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.taking_back import books, take_back
from billy_pipelines_tests.bulk.test_undo import CONTACTS, INVOICES, LONG_AGO, PRODUCTS, ROWS
from billy_pipelines_tests.bulk.whole_jobs import Office

NEW = {"name": "Ny Kunde ApS", "contactNo": "10", "phone": "12 34 56 78", "email": "ny@kunde.example"}
MAIL = {"contactNo": "1", "phone": "87 65 43 21", "email": "ny@aeblehaven.example"}


def fill(sandbox: SandboxServer) -> None:
    for plural, records in (("contacts", CONTACTS), ("products", PRODUCTS), ("invoices", INVOICES)):
        sandbox.sandbox.add(plural, [{**record, "createdTime": LONG_AGO} for record in records])


@pytest.mark.parametrize("answers", ["sent", "sparse"])
@pytest.mark.parametrize(
    ("resource", "operation", "bulk_save"),
    [
        *((resource, operation, "off") for resource, operation in sorted(ROWS)),
        *((resource, operation, "on") for resource, operation in sorted(ROWS) if operation != "delete"),
    ],
)
def test_the_books_are_as_before_however_little_answers_tell(
    answers: str,
    resource: str,
    operation: str,
    bulk_save: str,
    settings: Settings,
    engine: Engine,
    sandbox: SandboxServer,
    tmp_path: Path,
) -> None:
    fill(sandbox)
    before = books(sandbox)
    sandbox.sandbox.switch(write_answers=answers)
    rows, options, verdicts = ROWS[resource, operation]
    office = Office(settings, engine, sandbox, tmp_path, RESOURCES[resource])
    assert office.carry_out(operation, rows, **options, bulk_save=bulk_save).verdicts == verdicts
    assert books(sandbox) != before
    undone = take_back(settings, engine, list_jobs(engine)[0].job_id)
    assert undone.verdicts == ["reversed"] * len(rows), [row["message"] for row in undone.rows]
    assert books(sandbox) == before


class Readings:
    """Customers whose records are read through here, and what happens just before a reading."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.first: Callable[[str], None] = lambda _record_id: None
        self.resource = replace(CUSTOMERS, read_one=self._read)

    async def _read(self, client: BillyClient, record_id: str) -> Contact:
        self.ids.append(record_id)
        self.first(record_id)
        return await CUSTOMERS.read_one(client, record_id)  # type: ignore[no-any-return]


@pytest.fixture
def readings() -> Readings:
    return Readings()


@pytest.fixture
def office(
    readings: Readings,
    settings: Settings,
    engine: Engine,
    sandbox: SandboxServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Office:
    fill(sandbox)
    return Office.of(readings.resource, settings, engine, sandbox, tmp_path, monkeypatch)


@pytest.mark.parametrize(("answers", "readings_made"), [("complete", 0), ("sent", 2), ("sparse", 2)])
def test_new_records_are_read_once_each_and_only_if_their_answers_leave_something_out(
    answers: str, readings_made: int, office: Office, readings: Readings
) -> None:
    office.sandbox.sandbox.switch(write_answers=answers)
    done = office.carry_out("import", [NEW, {**NEW, "name": "Anden Ny ApS", "contactNo": "11", "email": "b@n.example"}])
    assert done.verdicts == ["created", "created"]
    assert sorted(readings.ids) == sorted(done.ids[:readings_made])


@pytest.mark.parametrize(("answers", "after_the_write"), [("complete", 0), ("sent", 0), ("sparse", 1)])
def test_a_changed_record_is_read_again_only_if_what_was_sent_is_not_in_the_answer(
    answers: str, after_the_write: int, office: Office, readings: Readings
) -> None:
    office.sandbox.sandbox.switch(write_answers=answers)
    changed = len(office.sandbox.sandbox.ledger)
    late: list[str] = []
    readings.first = lambda one: late.append(one) if len(office.sandbox.sandbox.ledger) > changed else None
    assert office.carry_out("update", [MAIL]).verdicts == ["updated"]
    assert late == ["c1"] * after_the_write


def test_what_billy_leaves_out_of_records_that_are_read_too_is_asked_for_once() -> None:
    asked: list[str] = []
    told = create_body({"name": "Ny ApS"})

    async def read(_client: BillyClient, record_id: str) -> Contact:
        asked.append(record_id)
        return Contact.model_validate({"id": record_id, **told})

    readback = Readback(replace(CUSTOMERS, read_one=read), cast(BillyClient, None))
    asyncio.run(readback.created({"name": "Ny ApS"}, Contact.model_validate({"id": "a", **told})))
    asyncio.run(readback.created({"name": "Ny ApS"}, Contact.model_validate({"id": "b", **told})))
    assert asked == ["a"]
    asyncio.run(readback.created({"name": "Ny ApS", "phone": "1"}, Contact.model_validate({"id": "c", **told})))
    assert asked == ["a", "c"], "what was sent is to be there"


@pytest.mark.parametrize(("operation", "row", "verdict"), [("import", NEW, "created"), ("update", MAIL, "updated")])
def test_a_value_that_billy_spells_its_own_way_is_no_edit(
    operation: str, row: dict[str, str], verdict: str, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = books(office.sandbox)
    office.sandbox.sandbox.switch(write_answers="sparse")

    def bare_phones(*asked: Any) -> Any:
        values, wrong = checked(*asked)
        phone = {"phone": "+45" + values["phone"].replace(" ", "")} if values.get("phone") else {}
        return {**values, **phone}, wrong

    monkeypatch.setattr(writes, "checked", bare_phones)
    assert office.carry_out(operation, [row]).verdicts == [verdict]
    monkeypatch.setattr(writes, "checked", checked)
    undone = take_back(office.settings, office.engine, list_jobs(office.engine)[0].job_id)
    assert undone.verdicts == ["reversed"], undone.rows
    assert books(office.sandbox) == before


@pytest.mark.parametrize(("operation", "row"), [("import", NEW), ("update", MAIL)])
def test_what_a_person_writes_between_the_write_and_its_reading_stays(
    operation: str, row: dict[str, str], office: Office, readings: Readings
) -> None:
    sandbox = office.sandbox.sandbox
    sandbox.switch(write_answers="sparse")
    start = len(sandbox.ledger)

    def edit(record_id: str) -> None:
        if len(sandbox.ledger) > start and not any(each["phone"] == "99999999" for each in sandbox.records("contacts")):
            sandbox.change("contacts", record_id, phone="99999999")

    readings.first = edit
    office.carry_out(operation, [row])
    [edited] = [each["id"] for each in sandbox.records("contacts") if each["phone"] == "99999999"]
    undone = take_back(office.settings, office.engine, list_jobs(office.engine)[0].job_id)
    assert undone.codes == ["edited_since"]
    [left] = [each for each in sandbox.records("contacts") if each["id"] == edited]
    assert left["phone"] == "99999999"


def test_a_persons_edit_of_another_person_in_that_moment_stays_too(office: Office, readings: Readings) -> None:
    sandbox = office.sandbox.sandbox
    sandbox.switch(write_answers="sparse")
    [aase] = [each for each in sandbox.records("contactPersons") if each["name"] == "Åse Ørsted"]
    start = len(sandbox.ledger)

    def edit(_record_id: str) -> None:
        if len(sandbox.ledger) > start:
            sandbox.change("contactPersons", str(aase["id"]), name="Åse Bæk")

    readings.first = edit
    office.carry_out("update", [{"contactNo": "1", "email": "ny@aeblehaven.example"}])
    readings.first = lambda _record_id: None
    assert take_back(office.settings, office.engine, list_jobs(office.engine)[0].job_id).verdicts == ["reversed"]
    found = {each["name"]: each["email"] for each in sandbox.records("contactPersons") if each["contactId"] == "c1"}
    assert found == {"Bogholderiet": "faktura@aeblehaven.example", "Åse Bæk": "aase@aeblehaven.example"}


@pytest.mark.parametrize(("operation", "row"), [("import", NEW), ("update", MAIL)])
def test_where_the_reading_fails_what_was_sent_is_what_is_taken_back(
    operation: str, row: dict[str, str], office: Office, readings: Readings
) -> None:
    before = books(office.sandbox)
    office.sandbox.sandbox.switch(write_answers="sparse")
    start = len(office.sandbox.sandbox.ledger)

    def fail(_record_id: str) -> None:
        if len(office.sandbox.sandbox.ledger) > start:
            raise UnexpectedAnswer("It cannot be read.")

    readings.first = fail
    office.carry_out(operation, [row])
    readings.first = lambda _record_id: None
    undone = take_back(office.settings, office.engine, list_jobs(office.engine)[0].job_id)
    assert undone.verdicts == ["reversed"], undone.rows
    assert books(office.sandbox) == before


def test_a_list_that_was_replaced_and_cannot_be_read_is_looked_up_later() -> None:
    async def fail(_client: BillyClient, _record_id: str) -> Contact:
        raise UnexpectedAnswer("It cannot be read.")

    readback = Readback(replace(CUSTOMERS, read_one=fail), cast(BillyClient, None))
    written = Contact.model_validate({"id": "a", "contactPersons": []})
    with pytest.raises(OutcomeUnknown):
        asyncio.run(readback.changed({"contactPersons"}, {}, written, lambda _record: True))
    assert asyncio.run(readback.changed({"phone"}, {}, written, lambda _record: True)) is written
