"""Bulk save and bulk delete: billy-api.md sections 2.1 and 2.2."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from billy_pipelines.sandbox import Sandbox

from .test_records import error

GOOD = {"_clientId": 1, "name": "Ny", "countryId": "DK", "contactPersons": [{"email": "ny@ny.example"}]}
BAD = {"_clientId": 2, "name": "Uden land"}


def patch(client: httpx.Client, *items: Any) -> httpx.Response:
    return client.patch("/contacts", json={"contacts": list(items)})


def test_new_and_existing_records_are_saved_together(client: httpx.Client, sandbox: Sandbox) -> None:
    known = sandbox.add_contacts([{"name": "Gammel"}])[0]
    body = patch(client, {"_clientId": 7, "id": known, "phone": "1"}, GOOD).json()
    assert [(c["_clientId"], c["name"]) for c in body["contacts"]] == [(7, "Gammel"), (1, "Ny")]
    assert body["contactPersons"][0]["contactId"] == body["contacts"][1]["id"]
    assert all("_clientId" not in contact for contact in sandbox.contacts)
    assert [c.operation for c in sandbox.ledger] == ["update", "create", "create"]


def test_atomic_one_bad_item_fails_all_and_is_named_by_its_client_id(client: httpx.Client, sandbox: Sandbox) -> None:
    response = patch(client, GOOD, BAD, "x", {"id": "missing", "_clientId": 4}, {"id": ["x"], "_clientId": 5})
    assert error(response, 422)["validationErrors"] == {
        "2": {"attributes": {"countryId": "sandbox: needs a value"}},
        "3": {"message": "sandbox: not an object"},
        "4": {"attributes": {"id": "sandbox: no such record"}},
        "5": {"attributes": {"id": "sandbox: no such record"}},
    }
    assert (sandbox.contacts, list(sandbox.ledger)) == ([], [])


def test_partial_stores_the_good_ones_and_answers_422_all_the_same(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.switch(bulk_save="partial")
    assert error(patch(client, GOOD, BAD), 422)["validationErrors"].keys() == {"2"}
    assert [contact["name"] for contact in sandbox.contacts] == ["Ny"]
    assert [(c.operation, c.key) for c in sandbox.ledger] == [("create", "Ny"), ("create", "ny@ny.example")]


@pytest.mark.parametrize(
    ("value", "status", "code"),
    [
        ("unavailable", 405, "METHOD_NOT_ALLOWED"),
        ("unavailable-401", 401, "OAUTH_INVALID_ACCESS_TOKEN"),
        ("unavailable-404", 404, "UNKNOWN_RESOURCE"),
    ],
)
def test_bulk_save_can_be_unavailable(
    client: httpx.Client, sandbox: Sandbox, value: str, status: int, code: str
) -> None:
    sandbox.switch(bulk_save=value)
    error(patch(client, GOOD), status, code)
    assert sandbox.contacts == []


def test_an_empty_bulk_save_proves_nothing_about_the_token(anonymous: httpx.Client) -> None:
    response = patch(anonymous)
    assert (response.status_code, list(response.json())) == (200, ["meta"])
    error(patch(anonymous, GOOD), 401, "AUTHENTICATION_REQUIRED")


def test_contact_persons_can_be_saved_in_bulk_too(client: httpx.Client, sandbox: Sandbox) -> None:
    contact_id = sandbox.add_contacts([{"name": "a"}])[0]
    items = [{"_clientId": n, "contactId": contact_id, "email": f"{n}@b.example"} for n in (1, 2)]
    body = client.patch("/contactPersons", json={"contactPersons": items}).json()
    assert [person["_clientId"] for person in body["contactPersons"]] == [1, 2]
    error(client.patch("/contactPersons", json={"contacts": items}), 400, "INVALID_REQUEST_BODY")


def test_bulk_delete_skips_unknown_ids(client: httpx.Client, sandbox: Sandbox) -> None:
    first, second = sandbox.add_contacts([{"name": "a"}, {"name": "b", "contactPersons": [{"name": "c"}]}])
    person = sandbox.contact_persons[0]["id"]
    body = client.delete("/contacts", params={"ids[]": [first, "missing", second, first]}).json()
    assert body["meta"]["deletedRecords"] == {"contacts": [first, second], "contactPersons": [person]}
    assert sandbox.contacts == []


def test_an_undeletable_id_fails_all_or_only_itself(client: httpx.Client, sandbox: Sandbox) -> None:
    ids = sandbox.add_contacts([{"name": "a"}, {"name": "b"}])
    sandbox.mark_in_use(ids[0])
    error(client.delete("/contacts", params={"ids[]": ids}), 422)
    assert len(sandbox.contacts) == 2
    sandbox.switch(bulk_delete="partial")
    body = client.delete("/contacts", params={"ids[]": ids}).json()
    assert body["meta"]["deletedRecords"] == {"contacts": [ids[1]]}
    assert [contact["name"] for contact in sandbox.contacts] == ["a"]


@pytest.mark.parametrize("query", ["", "?ids[]=", "?ids=a"])
def test_bulk_delete_without_ids_is_refused_before_the_token(anonymous: httpx.Client, query: str) -> None:
    error(anonymous.request("DELETE", f"/contacts{query}", json={"ids": ["a"]}), 400, "INVALID_DELETE_ID_ARRAY")
