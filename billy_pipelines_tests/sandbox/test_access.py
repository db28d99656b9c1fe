"""Tokens, organizations, unknown paths and refused verbs: billy-api.md sections 1, 2.3, 4."""

from __future__ import annotations

import httpx
import pytest

from billy_pipelines.sandbox import Sandbox

from .conftest import TOKENS
from .test_records import error


def test_a_missing_and_a_wrong_token_have_different_codes(anonymous: httpx.Client) -> None:
    for path in ("/organization", "/contacts", "/contacts/x"):
        error(anonymous.get(path), 401, "AUTHENTICATION_REQUIRED")
        error(anonymous.get(path, headers={"X-Access-Token": "wrong"}), 401, "OAUTH_INVALID_ACCESS_TOKEN")


def test_every_token_opens_its_own_books(anonymous: httpx.Client, sandbox: Sandbox) -> None:
    first, second = ({"X-Access-Token": token} for token in TOKENS)
    assert anonymous.get("/organization", headers=first).json()["organization"]["name"] == "Første ApS"
    assert anonymous.get("/organization", headers=second).json()["organization"]["registrationNo"] == "00000002"
    ours = sandbox.add_contacts([{"name": "a"}])[0]
    theirs = sandbox.add_contacts([{"name": "b"}], token=TOKENS[1])[0]
    listed = anonymous.get("/contacts", headers=second).json()["contacts"]
    assert [contact["organizationId"] for contact in listed] == ["org0000000000000000002"]
    assert anonymous.get(f"/contacts/{ours}", headers=second).status_code == 404
    assert anonymous.delete(f"/contacts/{theirs}", headers=first).json().keys() == {"meta"}
    anonymous.post("/contacts", headers=second, json={"contact": {"name": "c", "countryId": "DK"}})
    assert [(c.key, c.organization_id) for c in sandbox.ledger] == [("c", "org0000000000000000002")]
    assert len(sandbox.contacts) == 1


def test_two_organizations_cannot_share_a_token() -> None:
    with pytest.raises(ValueError, match="same token"):
        Sandbox(organizations=[{"token": "a"}, {"token": "a"}])


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD"])
def test_the_singular_organization_is_read_only(client: httpx.Client, method: str) -> None:
    assert client.request(method, "/organization").status_code == 405


def test_the_organization_can_be_changed_under_its_id(client: httpx.Client, sandbox: Sandbox) -> None:
    own = client.get("/organization").json()["organization"]
    path = f"/organizations/{own['id']}"
    assert client.get(path).json()["organization"] == own
    body = client.put(path, json={"organization": {"phone": "1"}}).json()
    assert body["organizations"] == [{**own, "phone": "1"}]
    assert [(c.operation, c.resource) for c in sandbox.ledger] == [("update", "organizations")]
    response = client.put(path, json={"organization": {"baseCurrencyId": "EUR"}})
    assert error(response, 422)["validationErrors"]["1"]["attributes"].keys() == {"baseCurrencyId"}
    error(client.put(path, json=[]), 400, "INVALID_REQUEST_BODY")
    error(client.get("/organizations/org0000000000000000002"), 404, "RECORD_NOT_FOUND")
    error(client.delete(path), 405, "METHOD_NOT_ALLOWED")
    error(client.get("/organizations"), 405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("path", ["/webhooks", "/webhooks/x", "/", "", "/contacts/x/y", "/user/organizations"])
def test_unknown_collections_are_404_even_without_a_token(anonymous: httpx.Client, path: str) -> None:
    error(anonymous.get(path), 404, "UNKNOWN_RESOURCE")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/contacts"),
        ("POST", "/contacts/bulk"),
        ("PATCH", "/contacts/x"),
        ("OPTIONS", "/contacts"),
        ("PUT", "/contactPersons"),
    ],
)
def test_verbs_not_offered_are_405(anonymous: httpx.Client, method: str, path: str) -> None:
    error(anonymous.request(method, path), 405, "METHOD_NOT_ALLOWED")


def test_a_token_can_be_revoked_now_or_midway(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.switch(revoked_after=2)
    assert [client.get("/contacts").status_code for _ in range(4)] == [200, 200, 401, 401]
    error(client.get("/organization"), 401, "OAUTH_INVALID_ACCESS_TOKEN")
    sandbox.switch(revoked_after=1)
    assert [client.get("/contacts").status_code for _ in range(2)] == [200, 401]
    sandbox.switch(revoked_after=0)
    assert client.get("/contacts").status_code == 401
    sandbox.switch(revoked_after=None)
    assert client.get("/contacts").status_code == 200


def test_one_resource_can_be_forbidden(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.switch(forbidden_resource="contactPersons")
    error(client.get("/contactPersons?contactId=x"), 403, "FORBIDDEN")
    error(client.post("/contactPersons", json={"contactPerson": {}}), 403, "FORBIDDEN")
    assert client.get("/contacts").status_code == 200
