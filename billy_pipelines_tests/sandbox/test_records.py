"""Shapes of single writes and reads: billy-api.md sections 2, 4, 6.1, 8."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from billy_pipelines.sandbox import Sandbox

Create = Callable[..., dict[str, Any]]
PERSON = {"name": "Bogholderiet", "email": "faktura@aeblehaven.example", "isPrimary": True}


def error(response: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The error envelope, checked."""
    assert response.status_code == status, response.text
    body: dict[str, Any] = response.json()
    assert body["meta"] == {"statusCode": status, "success": False}
    assert {"errorMessage", "errorTime", "helpUrl"} <= body.keys()
    assert body.get("errorCode") == code
    return body


def attributes(response: httpx.Response, key: str = "1") -> dict[str, str]:
    """The attributes of one record's entry in `validationErrors`."""
    found: dict[str, str] = error(response, 422)["validationErrors"][key]["attributes"]
    return found


def test_a_create_answers_with_plural_arrays_of_complete_records(client: httpx.Client) -> None:
    sent = {
        "type": "company",
        "name": "Æblehaven Prøve ApS",
        "countryId": "DK",
        "zipcodeText": "0800",
        "contactNo": "0017",
        "isCustomer": True,
        "contactPersons": [PERSON],
    }
    response = client.post("/contacts", json={"contact": sent})
    body = response.json()
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert list(body) == ["meta", "contacts", "contactPersons"]
    assert body["meta"].keys() == {"statusCode", "success", "time"}
    assert (body["meta"]["statusCode"], body["meta"]["success"]) == (200, True)
    contact, person = body["contacts"][0], body["contactPersons"][0]
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", contact["id"])
    assert {**contact, **{k: v for k, v in sent.items() if k != "contactPersons"}} == contact
    assert (contact["isSupplier"], contact["isArchived"], contact["street"]) == (False, False, None)
    assert (contact["organizationId"], len(contact["accessCode"])) == ("org0000000000000000001", 16)
    assert "contactPersons" not in contact
    assert person == {"id": person["id"], "contactId": contact["id"], **PERSON}


def test_created_time_is_utc_without_a_zone(create: Create) -> None:
    created = datetime.strptime(create()["createdTime"], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - created) < timedelta(seconds=5)


def test_repeating_a_post_makes_a_second_record(create: Create, sandbox: Sandbox) -> None:
    assert create(contactNo="1")["id"] != create(contactNo="1")["id"]
    assert len(sandbox.contacts) == 2


@pytest.mark.parametrize("key", ["name", "countryId"])
@pytest.mark.parametrize("value", [None, "", " ", 5, ["x"]])
def test_name_and_country_are_required(client: httpx.Client, sandbox: Sandbox, key: str, value: Any) -> None:
    whole = {"name": "Æblehaven", "countryId": "DK"}
    assert key in attributes(client.post("/contacts", json={"contact": {**whole, key: value}}))
    del whole[key]
    response = client.post("/contacts", json={"contact": {**whole, "_clientId": 9}})
    assert attributes(response, "9") == {key: "sandbox: needs a value"}
    assert sandbox.contacts == []
    assert len(sandbox.ledger) == 0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("countryId", "XX"),
        ("currencyId", "KRONER"),
        ("localeId", "da"),
        ("type", "customer"),
        ("paymentTermsMode", "netto"),
        ("paymentTermsDays", "8"),
        ("paymentTermsDays", True),
        ("isCustomer", "true"),
        ("contactNo", 17),
        ("contactPersons", {}),
    ],
)
def test_wrong_types_and_choices_are_named(client: httpx.Client, key: str, value: Any) -> None:
    response = client.post("/contacts", json={"contact": {"name": "Æ", "countryId": "DK", key: value}})
    assert list(attributes(response)) == [key]


@pytest.mark.parametrize("key", ["email", "city", "zipcode", "vatNo", "nonsense"])
def test_undeclared_properties_are_ignored_or_refused(
    client: httpx.Client, sandbox: Sandbox, create: Create, key: str
) -> None:
    assert key not in create(**{key: "x"})
    sandbox.switch(undeclared_properties="refused")
    response = client.post("/contacts", json={"contact": {"name": "Æ", "countryId": "DK", key: "x"}})
    assert list(attributes(response)) == [key]


def test_organization_id_in_a_body(client: httpx.Client, sandbox: Sandbox, create: Create) -> None:
    own = "org0000000000000000001"
    assert create(organizationId=own)["organizationId"] == own
    body = {"contact": {"name": "Æ", "countryId": "DK", "organizationId": own}}
    sandbox.switch(organization_id="refused")
    assert "must not be set" in attributes(client.post("/contacts", json=body))["organizationId"]
    sandbox.switch(organization_id="accepted")
    body["contact"]["organizationId"] = "org0000000000000000002"
    assert "organizationId" in attributes(client.post("/contacts", json=body))


def test_an_update_changes_only_the_keys_it_has(client: httpx.Client, create: Create) -> None:
    before = create(phone="1", street="Prøvevej 1")
    body = {"contact": {"id": before["id"], "phone": "2", "street": None, "_clientId": 4}}
    response = client.put(f"/contacts/{before['id']}", json=body)
    assert response.json()["contacts"] == [{**before, "phone": "2", "street": None, "_clientId": 4}]
    assert client.get(f"/contacts/{before['id']}").json()["contact"] == {**before, "phone": "2", "street": None}


def test_an_update_must_not_name_another_id_or_empty_a_required_key(client: httpx.Client, create: Create) -> None:
    path = f"/contacts/{create()['id']}"
    assert "id" in attributes(client.put(path, json={"contact": {"id": create()["id"]}}))
    assert "name" in attributes(client.put(path, json={"contact": {"name": ""}}))


def test_a_record_read_can_be_sent_back_whole(client: httpx.Client, create: Create) -> None:
    contact = create()
    response = client.put(f"/contacts/{contact['id']}", json={"contact": contact})
    assert response.json()["contacts"] == [contact]


@pytest.mark.parametrize("plural", ["contacts", "contactPersons"])
def test_reading_or_updating_a_missing_record_is_404(client: httpx.Client, plural: str) -> None:
    singular = plural[:-1]
    found = error(client.get(f"/{plural}/missing"), 404, "RECORD_NOT_FOUND")
    assert f"`{singular}` `missing`" in found["errorMessage"]
    error(client.put(f"/{plural}/missing", json={singular: {}}), 404, "RECORD_NOT_FOUND")


def test_persons_in_a_contact_body_replace_all_existing_ones(client: httpx.Client, create: Create) -> None:
    contact = create(contactPersons=[PERSON, {"email": "b@aeblehaven.example"}])
    path = f"/contacts/{contact['id']}"
    old = [person["id"] for person in client.get(f"/contactPersons?contactId={contact['id']}").json()["contactPersons"]]
    body = client.put(path, json={"contact": {"contactPersons": [{"name": "Ny"}]}}).json()
    assert body["meta"]["deletedRecords"] == {"contactPersons": old}
    assert [person["name"] for person in body["contactPersons"]] == ["Ny"]
    listed = client.get(f"/contactPersons?contactId={contact['id']}").json()
    assert listed["contactPersons"] == body["contactPersons"]
    assert client.put(path, json={"contact": {"phone": "1"}}).json().keys() == {"meta", "contacts"}


def test_parent_and_embedded_children_are_saved_together_or_not_at_all(
    client: httpx.Client, sandbox: Sandbox, create: Create
) -> None:
    bad = [PERSON, {"isPrimary": True, "_clientId": 31}, "x", {"email": 5}]
    response = client.post("/contacts", json={"contact": {"name": "Æ", "countryId": "DK", "contactPersons": bad}})
    wrong = error(response, 422)["validationErrors"]
    assert wrong.keys() == {"31", "1.contactPersons.3", "1.contactPersons.4"}
    assert "name" in wrong["31"]["attributes"]
    assert (sandbox.contacts, sandbox.contact_persons) == ([], [])


def test_contact_persons_have_their_own_verbs(client: httpx.Client, create: Create) -> None:
    contact = create()
    response = client.post("/contactPersons", json={"contactPerson": {"contactId": contact["id"], **PERSON}})
    assert response.json().keys() == {"meta", "contactPersons"}
    person = response.json()["contactPersons"][0]
    path = f"/contactPersons/{person['id']}"
    changed = client.put(path, json={"contactPerson": {"email": "ny@aeblehaven.example"}}).json()["contactPersons"]
    assert changed == [{**person, "email": "ny@aeblehaven.example"}]
    assert client.get(path).json()["contactPerson"] == changed[0]
    assert client.delete(path).json()["meta"]["deletedRecords"] == {"contactPersons": [person["id"]]}
    assert client.get(f"/contactPersons?contactId={contact['id']}").json()["contactPersons"] == []


def test_a_contact_person_needs_a_contact_and_a_name_or_an_email(client: httpx.Client, create: Create) -> None:
    contact_id = create()["id"]

    def posted(**values: Any) -> httpx.Response:
        return client.post("/contactPersons", json={"contactPerson": values})

    assert "contactId" in attributes(posted(name="x"))
    assert "contactId" in attributes(posted(name="x", contactId="missing"))
    assert "name" in attributes(posted(contactId=contact_id))
    person_id = posted(contactId=contact_id, email="a@b.example").json()["contactPersons"][0]["id"]
    moved = {"contactPerson": {"contactId": create()["id"]}}
    assert "contactId" in attributes(client.put(f"/contactPersons/{person_id}", json=moved))


def test_contact_persons_are_listed_by_contact_only(client: httpx.Client) -> None:
    error(client.get("/contactPersons"), 400, "CONTACT_ID_REQUIRED")


def test_a_delete_lists_the_records_removed(client: httpx.Client, sandbox: Sandbox, create: Create) -> None:
    contact = create(contactPersons=[PERSON])
    person_id = sandbox.contact_persons[0]["id"]
    body = client.delete(f"/contacts/{contact['id']}").json()
    assert body.keys() == {"meta"}
    assert body["meta"]["deletedRecords"] == {"contacts": [contact["id"]], "contactPersons": [person_id]}
    assert (sandbox.contacts, sandbox.contact_persons) == ([], [])


def test_deleting_an_unknown_id_succeeds_with_meta_alone_even_without_a_token(
    client: httpx.Client, anonymous: httpx.Client, create: Create
) -> None:
    for one in (client, anonymous):
        response = one.delete("/contacts/missing")
        assert response.status_code == 200
        assert response.json().keys() == {"meta"}
        assert "deletedRecords" not in response.json()["meta"]
    error(anonymous.delete(f"/contacts/{create()['id']}"), 401, "AUTHENTICATION_REQUIRED")


def test_a_contact_in_use_cannot_be_deleted_unless_the_switch_allows_it(
    client: httpx.Client, sandbox: Sandbox, create: Create
) -> None:
    used = create()["id"]
    sandbox.mark_in_use(used)
    assert "in use" in error(client.delete(f"/contacts/{used}"), 422)["errorMessage"]
    assert client.put(f"/contacts/{used}", json={"contact": {"isArchived": True}}).status_code == 200
    sandbox.switch(contact_in_use="allowed")
    assert client.delete(f"/contacts/{used}").json()["meta"]["deletedRecords"] == {"contacts": [used]}


@pytest.mark.parametrize("content", [b"", b"[]", b'"x"', b"{", b'{"a": NaN}', b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_the_body_is_checked_before_the_token(anonymous: httpx.Client, method: str, content: bytes) -> None:
    error(anonymous.request(method, "/contacts", content=content), 400, "INVALID_REQUEST_BODY")


def test_a_body_without_its_root_key_is_refused_after_the_token(client: httpx.Client, anonymous: httpx.Client) -> None:
    error(client.post("/contacts", json={"contacts": []}), 400, "INVALID_REQUEST_BODY")
    error(anonymous.post("/contacts", json={"contacts": []}), 401, "AUTHENTICATION_REQUIRED")


def test_signs_that_utf8_cannot_hold_do_not_break_the_server(client: httpx.Client) -> None:
    body = b'{"contact": {"name": "\\ud800 \\u00e6", "countryId": "DK"}}'
    assert client.post("/contacts", content=body).json()["contacts"][0]["name"] == "? æ"
