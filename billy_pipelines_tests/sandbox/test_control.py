"""The /sandbox routes, the ledger, the request log and changing things in process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from billy_pipelines.sandbox import Sandbox, Switches

Create = Callable[..., dict[str, Any]]


def test_the_overview_lists_every_switch_with_its_values(control: httpx.Client, create: Create) -> None:
    create()
    overview = control.get("").json()
    assert overview["switches"].keys() == Switches.model_fields.keys()
    assert overview["switches"]["bulk_save"]["value"] == "atomic"
    assert "partial" in overview["switches"]["bulk_save"]["accepts"]
    assert all(switch["description"] for switch in overview["switches"].values())
    assert (overview["changes"], overview["requests"], overview["faults_fired"]) == (1, 1, {})
    assert [(o["name"], o["contacts"]) for o in overview["organizations"]] == [("Første ApS", 1), ("Anden ApS", 0)]


def test_switches_are_changed_over_http(control: httpx.Client, client: httpx.Client, sandbox: Sandbox) -> None:
    changes = {"page_size_above_1000": "error", "latency": 0.001, "faults": [{"kind": "5xx-before", "limit": 1}]}
    answer = control.put("/switches", json=changes).json()
    assert answer == control.get("/switches").json()
    assert (answer["latency"], answer["faults"][0]["limit"]) == ("0.001", 1)
    assert sandbox.switches.page_size_above_1000 == "error"
    assert client.get("/contacts?pageSize=2000").status_code == 400
    assert client.post("/contacts", json={}).status_code == 503
    assert control.get("").json()["faults_fired"] == {"5xx-before": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"nonsense": 1},
        {"bulk_save": "sometimes"},
        {"latency": "fast"},
        {"latency": "0.4-0.2"},
        {"latency": -1},
        {"rate_limit": "100"},
        {"rate_limit": "0/60"},
        {"revoked_after": -1},
        [],
    ],
)
def test_wrong_switches_are_refused_and_change_nothing(control: httpx.Client, sandbox: Sandbox, changes: Any) -> None:
    response = control.put("/switches", json=changes)
    assert response.status_code == 422
    assert response.json()["error"]
    assert sandbox.switches == Switches()


def test_the_sandbox_routes_feel_no_limits_latency_or_faults(control: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.switch(rate_limit="1/60", latency=60, revoked_after=0)
    sandbox.switch(faults=[{"kind": "5xx-before", "methods": ["GET", "PUT", "POST"]}])
    for _ in range(3):
        assert control.get("/switches").status_code == 200
        assert control.post("/reset").status_code == 200
    assert control.put("/switches", json={"latency": "0"}).status_code == 200
    assert sandbox.requests == []


def test_the_ledger_has_every_committed_change_in_order(
    client: httpx.Client, control: httpx.Client, sandbox: Sandbox
) -> None:
    body = {"contact": {"name": "Æ", "countryId": "DK", "contactPersons": [{"email": "a@b.example"}]}}
    contact = client.post("/contacts", json=body, headers={"X-Request-Id": "mine"}).json()["contacts"][0]
    person_id = sandbox.contact_persons[0]["id"]
    client.put(f"/contacts/{contact['id']}", json={"contact": {"phone": "1"}})
    client.put(f"/contacts/{contact['id']}", json={"contact": {"name": ""}})
    client.delete(f"/contacts/{contact['id']}")
    client.delete(f"/contacts/{contact['id']}")
    changes = control.get("/ledger").json()["changes"]
    assert [(c["sequence"], c["operation"], c["resource"], c["id"], c["key"]) for c in changes] == [
        (1, "create", "contacts", contact["id"], "Æ"),
        (2, "create", "contactPersons", person_id, "a@b.example"),
        (3, "update", "contacts", contact["id"], "Æ"),
        (4, "delete", "contactPersons", person_id, "a@b.example"),
        (5, "delete", "contacts", contact["id"], "Æ"),
    ]
    assert [c["request_id"] for c in changes[:3]] == ["mine", "mine", "request-" + changes[2]["request_id"][8:]]
    assert changes[0]["record"] == contact
    assert changes[2]["record"] == {**contact, "phone": "1"}
    assert changes[4]["record"] is None
    assert control.get("/ledger?since=4").json() == {"count": 5, "changes": changes[4:]}
    assert control.get("/ledger?since=x").status_code == 422
    assert [c.id for c in sandbox.ledger.select("update", "contacts")] == [contact["id"]]


def test_the_request_log_counts_every_request(client: httpx.Client, control: httpx.Client, sandbox: Sandbox) -> None:
    client.get("/contacts?page=1")
    client.post("/contacts", json={}, headers={"X-Request-Id": "mine"})
    answer = control.get("/requests").json()
    assert (answer["count"], answer["by_status"]) == (2, {"200": 1, "400": 1})
    first, second = answer["requests"]
    assert (first["method"], first["path"], first["query"], first["status"]) == ("GET", "/v2/contacts", "page=1", 200)
    assert (second["request_id"], second["fault"]) == ("mine", None)
    assert [entry.status for entry in sandbox.requests.select("POST", "/contacts")] == [400]


def test_reset_empties_the_books_and_keeps_the_switches(
    client: httpx.Client, control: httpx.Client, sandbox: Sandbox, create: Create
) -> None:
    create(contactNo="1", contactPersons=[{"name": "a"}])
    sandbox.switch(page_size_above_1000="error")
    assert control.post("/reset").json() == {"reset": True}
    assert (sandbox.contacts, sandbox.contact_persons, sandbox.ledger, sandbox.requests) == ([], [], [], [])
    assert client.get("/contacts?contactNo=1").json()["contacts"] == []
    assert client.get("/organization").json()["organization"]["id"] == "org0000000000000000001"
    assert sandbox.switches.page_size_above_1000 == "error"


def test_contacts_are_marked_as_in_use_over_http(control: httpx.Client, client: httpx.Client, create: Create) -> None:
    contact_id = create()["id"]
    assert control.put("/in-use", json={"ids": [contact_id]}).status_code == 200
    assert client.delete(f"/contacts/{contact_id}").status_code == 422
    assert control.put("/in-use", json={"ids": [contact_id], "in_use": False}).status_code == 200
    assert client.delete(f"/contacts/{contact_id}").status_code == 200
    assert control.put("/in-use", json={"ids": [contact_id]}).status_code == 404
    assert control.put("/in-use", json={"id": contact_id}).status_code == 422


def test_a_person_in_the_web_app_can_be_played_in_process(client: httpx.Client, sandbox: Sandbox) -> None:
    ids = sandbox.add_contacts([{"name": "a", "contactPersons": [{"name": "p"}]}, {"name": "b", "id": "own-id"}])
    assert ids[1] == "own-id"
    assert list(sandbox.ledger) == []
    assert sandbox.change_contact(ids[0], phone="1", contactPersons=[])["phone"] == "1"
    sandbox.delete_contact("own-id")
    assert client.get(f"/contacts/{ids[0]}").json()["contact"]["phone"] == "1"
    assert client.get("/contacts/own-id").status_code == 404
    assert [(c.operation, c.resource, c.request_id) for c in sandbox.ledger] == [
        ("update", "contacts", "in-process"),
        ("delete", "contactPersons", "in-process"),
        ("delete", "contacts", "in-process"),
    ]
    with pytest.raises(KeyError):
        sandbox.mark_in_use("own-id")
