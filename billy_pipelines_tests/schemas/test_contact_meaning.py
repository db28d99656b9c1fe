"""What a customer row means in Billy: the body of a create, the differences of an update, and what an update leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.models import Contact
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.schemas import contact_meaning as meaning
from billy_pipelines.schemas import contact_requests as requests
from billy_pipelines.schemas.resource import Change, Row
from billy_pipelines_tests.support import NoLimit, open_client_for

T = TypeVar("T")

FULL_ROW = {
    "name": "Æblehaven Prøve ApS",
    "email": "faktura@aeblehaven.example",
    "phone": "+45 00 00 00 00",
    "address": "Prøvevej 1",
    "city": "Høje Taastrup",
    "zipcode": "2630",
    "country": "SE",
    "vatNo": "SE556012345601",
    "contactNo": "0017",
    "ean": "5790000000005",
}
BOOKS = {"name": "Bogholderiet", "email": "faktura@aeblehaven.example", "isPrimary": True}
AASE = {"name": "Åse Ørsted", "email": "aase@aeblehaven.example"}


def contact(**keys: Any) -> Contact:
    persons = [{"id": f"p{number}", **person} for number, person in enumerate(keys.pop("contactPersons", []), start=1)]
    return Contact.model_validate({"id": "c1", "name": "Æblehaven Prøve ApS", "contactPersons": persons, **keys})


def fields(changes: list[Change]) -> dict[str, tuple[Any, Any]]:
    return {change.field: (change.old, change.new) for change in changes}


def ask(sandbox: SandboxServer, call: Callable[[BillyClient], Awaitable[T]], limiter: NoLimit | None = None) -> T:
    async def go() -> T:
        async with open_client_for(sandbox, limiter=limiter) as client:
            return await call(client)

    return asyncio.run(go())


# -- a create ----------------------------------------------------------------------------------------------------------


def test_a_row_becomes_a_body_with_billys_keys() -> None:
    assert meaning.create_body(FULL_ROW) == {
        "type": "company",
        "isCustomer": True,
        "isSupplier": False,
        "name": "Æblehaven Prøve ApS",
        "phone": "+45 00 00 00 00",
        "street": "Prøvevej 1",
        "cityText": "Høje Taastrup",
        "zipcodeText": "2630",
        "countryId": "SE",
        "registrationNo": "SE556012345601",
        "contactNo": "0017",
        "ean": "5790000000005",
        "contactPersons": [{"name": "Æblehaven Prøve ApS", "email": "faktura@aeblehaven.example", "isPrimary": True}],
    }


def test_b1_a_create_without_country_is_danish_and_holds_nothing_the_row_does_not_say() -> None:
    assert meaning.create_body({"name": "A", "city": None}) == {
        "type": "company",
        "isCustomer": True,
        "isSupplier": False,
        "name": "A",
        "countryId": "DK",
    }


def test_the_sandbox_makes_of_that_body_what_the_row_says(sandbox: SandboxServer) -> None:
    answer = ask(sandbox, lambda client: client.create("contacts", "contact", meaning.create_body(FULL_ROW)))
    made = requests.created_contact(answer)
    assert meaning.differences(FULL_ROW, made) == []
    stored = ask(sandbox, lambda client: requests.read_one_contact(client, made.id))
    assert meaning.differences(FULL_ROW, stored) == []
    assert (stored.isCustomer, stored.isSupplier, stored.emails) == (True, False, ["faktura@aeblehaven.example"])


def test_a_row_and_the_contact_it_would_become_do_not_differ() -> None:
    assert meaning.differences(FULL_ROW, meaning.row_as_contact(FULL_ROW, "2")) == []
    assert meaning.contradictions(FULL_ROW, meaning.row_as_contact(FULL_ROW, "2")) == []


# -- differences -------------------------------------------------------------------------------------------------------


def test_values_that_mean_the_same_are_no_difference() -> None:
    record = contact(
        name="ÆBLEHAVEN  prøve aps",
        phone="00000000",
        street="prøvevej 1",
        zipcodeText="DK-2630",
        countryId="SE",
        cityText="HØJE TAASTRUP",
        registrationNo="SE 556012-345601",
        contactNo="0017",
        ean="5790000000005",
        contactPersons=[{**BOOKS, "email": "FAKTURA@aeblehaven.example"}],
    )
    assert meaning.differences(FULL_ROW, record) == []


def test_each_field_that_differs_is_named_with_old_and_new() -> None:
    record = contact(cityText="Ry", phone=None, zipcodeText="0800", contactPersons=[BOOKS])
    row = {"name": "Æblehaven Prøve ApS", "city": "Ribe", "phone": "1", "zipcode": "800", "email": "ny@x.example"}
    assert fields(meaning.differences(row, record)) == {
        "phone": (None, "1"),
        "city": ("Ry", "Ribe"),
        "zipcode": ("0800", "800"),
        "email": ("faktura@aeblehaven.example", "ny@x.example"),
    }


def test_b1_a_row_without_country_leaves_a_german_customer_german() -> None:
    assert meaning.differences({"name": "Æblehaven Prøve ApS"}, contact(countryId="DE", type="person")) == []


def test_none_in_a_row_clears_what_is_there_and_is_no_change_where_nothing_is() -> None:
    row = {"name": "Æblehaven Prøve ApS", "city": None, "phone": None}
    assert fields(meaning.differences(row, contact(cityText="Ry", phone=""))) == {"city": ("Ry", None)}


@pytest.mark.parametrize("persons", [[AASE], [AASE, {"name": "Bo"}]])
def test_without_a_primary_person_an_address_any_person_has_is_no_difference(persons: list[dict[str, Any]]) -> None:
    assert meaning.differences({"email": "AASE@aeblehaven.example"}, contact(contactPersons=persons)) == []
    assert [c.field for c in meaning.differences({"email": "ny@x.example"}, contact(contactPersons=persons))] == [
        "email"
    ]


@pytest.mark.parametrize("row", [{"vatNo": "99000007", "country": "FI"}, {"vatNo": "99000007"}])
def test_b6_an_update_never_takes_the_prefix_off_a_foreign_number(row: dict[str, str]) -> None:
    finnish = contact(registrationNo="FI99000007", countryId="FI")
    assert meaning.differences(row, finnish) == []
    assert meaning.contradictions(row, finnish) == []


def test_b6_a_prefix_in_the_row_is_added_to_a_number_without() -> None:
    changes = meaning.differences({"vatNo": "FI99000007"}, contact(registrationNo="99000007", countryId="FI"))
    assert fields(changes) == {"vatNo": ("99000007", "FI99000007")}


def test_b5_only_fields_given_on_both_sides_contradict() -> None:
    record = contact(zipcodeText="0800", phone="12345678", registrationNo=None, ean="", contactPersons=[BOOKS, AASE])
    agreeing = {"zipcode": "DK-0800", "phone": "+45 12345678", "vatNo": "99000007", "ean": "1", "email": AASE["email"]}
    assert meaning.contradictions(agreeing, record) == []
    assert meaning.contradictions({"city": "Ribe", "address": "X"}, record) == []
    differing = {"zipcode": "800", "phone": "1", "email": "x@x.example", "vatNo": "99000007"}
    assert meaning.contradictions(differing, record) == ["zipcode", "phone", "email"]


# -- the primary person (B3) -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("persons", "count"),
    [([{**BOOKS, "isPrimary": False}, AASE], "0"), ([BOOKS, {**AASE, "isPrimary": True}], "2")],
    ids=["none", "two"],
)
def test_b3_an_email_for_a_contact_whose_primary_person_is_unclear_is_rejected(
    persons: list[dict[str, Any]], count: str
) -> None:
    record = contact(contactPersons=persons)
    problem = meaning.update_obstacle({"email": "ny@x.example", "city": "Ry"}, record, "en")
    assert problem is not None
    assert (problem.code, problem.column, problem.value) == ("primary_person_unclear", "email", "ny@x.example")
    assert f"c1 has {count} primary" in problem.message
    assert meaning.update_obstacle({"city": "Ry"}, record, "en") is None, "other fields need no person"


@pytest.mark.parametrize("persons", [[], [BOOKS], [AASE, BOOKS]])
def test_b3_one_primary_person_or_no_person_at_all_is_clear(persons: list[dict[str, Any]]) -> None:
    assert meaning.update_obstacle({"email": "ny@x.example"}, contact(contactPersons=persons), "en") is None


def written(sandbox: SandboxServer, record: dict[str, Any], row: Row, **how: Any) -> tuple[Contact, list[str]]:
    """The contact after an update by a row, as the code tells it, and what was sent: `PUT /contacts/…` and so on."""
    [record_id] = sandbox.sandbox.add_contacts([record])

    async def update(client: BillyClient) -> Contact:
        before = await requests.read_one_contact(client, record_id)
        return await requests.write_contact_update(client, before, meaning.differences(row, before), False)

    after = ask(sandbox, update, **how)
    stored = ask(sandbox, lambda client: requests.read_one_contact(client, record_id))
    assert after.image() == stored.image(), "what the journal keeps is not what Billy has"
    sent = [f"{e.method} {e.path.split('/')[2]}" for e in sandbox.sandbox.requests if e.method != "GET"]
    return stored, sent


def test_b3_an_email_changes_the_primary_person_and_never_removes_others(sandbox: SandboxServer) -> None:
    record = {"name": "Æblehaven Prøve ApS", "contactPersons": [AASE, BOOKS]}
    after, sent = written(sandbox, record, {"email": "ny@aeblehaven.example"})
    persons = {(p.name, p.email, p.isPrimary) for p in after.contactPersons or []}
    assert persons == {
        ("Åse Ørsted", "aase@aeblehaven.example", False),
        ("Bogholderiet", "ny@aeblehaven.example", True),
    }
    assert sent == ["PUT contactPersons"]


def test_b3_a_contact_without_persons_gets_one(sandbox: SandboxServer) -> None:
    after, sent = written(sandbox, {"name": "Æblehaven Prøve ApS"}, {"email": "ny@aeblehaven.example"})
    assert [(p.name, p.email, p.isPrimary) for p in after.contactPersons or []] == [
        ("Æblehaven Prøve ApS", "ny@aeblehaven.example", True)
    ]
    assert sent == ["POST contactPersons"]


def test_b3_clearing_the_email_keeps_the_person(sandbox: SandboxServer) -> None:
    nameless = {"email": "faktura@aeblehaven.example", "isPrimary": True}
    after, _ = written(sandbox, {"name": "Æblehaven Prøve ApS", "contactPersons": [nameless, AASE]}, {"email": None})
    assert [(p.name, p.email) for p in after.contactPersons or []] == [
        ("Æblehaven Prøve ApS", None),
        ("Åse Ørsted", "aase@aeblehaven.example"),
    ]


def test_an_update_sends_the_changed_keys_and_the_email_and_leaves_the_rest(sandbox: SandboxServer) -> None:
    record = {
        "name": "Æblehaven Prøve ApS",
        "countryId": "DE",
        "cityText": "Ry",
        "phone": "1",
        "contactPersons": [BOOKS],
    }
    limiter = NoLimit()
    row = {"city": "Ribe", "phone": None, "email": "ny@aeblehaven.example"}
    after, sent = written(sandbox, record, row, limiter=limiter)
    assert (after.cityText, after.phone, after.countryId, after.emails) == ("Ribe", None, "DE", [row["email"]])
    assert sent == ["PUT contacts", "PUT contactPersons"]
    assert limiter.permits == 3, "one permit a request: the reading and two writes"


# -- reading -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("archived_in_lists", ["included", "hidden"])
def test_b7_all_contacts_come_with_their_persons_archived_ones_too(
    sandbox: SandboxServer, archived_in_lists: str
) -> None:
    sandbox.sandbox.switch(archived_in_lists=archived_in_lists)
    sandbox.sandbox.add_contacts(
        [{"name": "A", "contactPersons": [BOOKS, AASE]}, {"name": "B"}, {"name": "Gammel", "isArchived": True}]
    )
    found = {record.name: record for record in ask(sandbox, requests.read_all_contacts)}
    assert {name: bool(record.isArchived) for name, record in found.items()} == {"A": False, "B": False, "Gammel": True}
    assert found["A"].emails == ["faktura@aeblehaven.example", "aase@aeblehaven.example"]
    assert found["B"].contactPersons == []


def test_a_contact_listed_without_persons_is_complete_only_for_rows_without_email(sandbox: SandboxServer) -> None:
    sandbox.sandbox.switch(include="ignored")
    sandbox.sandbox.add_contacts([{"name": "A", "contactPersons": [BOOKS]}])
    [record] = ask(sandbox, requests.read_all_contacts)
    assert record.contactPersons is None
    assert not meaning.is_complete({"name": "A", "email": "x@x.example"}, record)
    assert meaning.is_complete({"name": "A"}, record)
    whole = ask(sandbox, lambda client: requests.read_one_contact(client, record.id))
    assert whole.emails == ["faktura@aeblehaven.example"]


def test_b7_a_supplier_lacks_the_customer_role() -> None:
    assert meaning.lacks_customer_role(contact(isSupplier=True, isCustomer=False))
    assert not meaning.lacks_customer_role(contact(isSupplier=True, isCustomer=True))
    assert not meaning.lacks_customer_role(contact(isSupplier=True)), "Billy did not say so"
