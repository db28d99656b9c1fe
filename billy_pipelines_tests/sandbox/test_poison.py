"""Single records that something always happens to, whatever else works."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from billy_pipelines.sandbox import Fault, Sandbox
from billy_pipelines.sandbox.fault import parse_poison

from .conftest import Shop
from .test_records import error

ITEMS = [{"_clientId": n, "name": f"Kunde {n}", "countryId": "DK", "contactNo": str(n)} for n in (1, 2, 3)]


def post(client: httpx.Client, number: int) -> httpx.Response:
    return client.post("/contacts", json={"contact": ITEMS[number - 1]})


def patch(client: httpx.Client) -> httpx.Response:
    return client.patch("/contacts", json={"contacts": ITEMS})


@pytest.mark.parametrize("called", ["Kunde 2", "2"])
def test_a_record_is_always_refused_by_its_name_or_number(client: httpx.Client, sandbox: Sandbox, called: str) -> None:
    sandbox.switch(faults=[Fault(kind="422", record=called)])
    for _ in range(2):
        assert [post(client, number).status_code for number in (1, 2, 3)] == [200, 422, 200]
    assert error(post(client, 2), 422)["validationErrors"] == {"2": {"message": "sandbox: refused on order"}}
    assert {contact["name"] for contact in sandbox.contacts} == {"Kunde 1", "Kunde 3"}
    assert sandbox.faults_fired == {"422": 3}


@pytest.mark.parametrize(("mode", "stored"), [("atomic", []), ("partial", ["Kunde 1", "Kunde 3"])])
def test_in_a_bulk_save_it_is_the_one_bad_item(
    client: httpx.Client, sandbox: Sandbox, mode: str, stored: list[str]
) -> None:
    sandbox.switch(bulk_save=mode, faults=[Fault(kind="422", record="Kunde 2")])
    assert error(patch(client), 422)["validationErrors"].keys() == {"2"}
    assert [contact["name"] for contact in sandbox.contacts] == stored
    assert [change.key for change in sandbox.ledger] == stored


@pytest.mark.parametrize(("mode", "left"), [("all-or-nothing", 3), ("partial", 1)])
def test_it_cannot_be_deleted_either(client: httpx.Client, sandbox: Sandbox, mode: str, left: int) -> None:
    ids = [contact["id"] for contact in patch(client).json()["contacts"]]
    sandbox.switch(bulk_delete=mode, faults=[Fault(kind="422", record="Kunde 2")])
    error(client.delete(f"/contacts/{ids[1]}"), 422)
    client.delete("/contacts", params={"ids[]": ids})
    assert len(sandbox.contacts) == left
    assert "Kunde 2" in [contact["name"] for contact in sandbox.contacts]


def test_a_stored_record_is_known_by_its_id_and_by_what_it_was_called(client: httpx.Client, sandbox: Sandbox) -> None:
    first, second, third = (contact["id"] for contact in patch(client).json()["contacts"])
    sandbox.switch(faults=[Fault(kind="422", record="Kunde 1"), Fault(kind="422", record=second)])
    changes = {"contact": {"phone": "1"}}
    statuses = [client.put(f"/contacts/{each}", json=changes).status_code for each in (first, second, third)]
    assert statuses == [422, 422, 200]
    renamed = client.put(f"/contacts/{third}", json={"contact": {"name": "Kunde 1"}})
    assert renamed.status_code == 422


@pytest.mark.parametrize(
    ("kind", "status", "stored"), [("5xx-before", 503, 0), ("5xx-after", 503, 1), ("bad-json-after", 200, 1)]
)
def test_any_fault_can_be_ordered_for_a_record(
    client: httpx.Client, sandbox: Sandbox, kind: Any, status: int, stored: int
) -> None:
    sandbox.switch(faults=[Fault(kind=kind, record="2")])
    assert post(client, 1).status_code == 200
    assert post(client, 2).status_code == status
    assert len(sandbox.contacts) == 1 + stored
    assert patch(client).status_code == status
    assert sandbox.faults_fired == {kind: 2}


def test_a_fault_meets_every_way_to_a_stored_record(client: httpx.Client, sandbox: Sandbox) -> None:
    [first, second] = sandbox.add("contacts", [{"name": "Kunde 1"}, {"name": "Kunde 2"}])
    fault = Fault(kind="5xx-after", record="Kunde 2", methods=("GET", "PUT", "PATCH", "DELETE"))
    sandbox.switch(faults=[fault])
    assert client.get(f"/contacts/{second}").status_code == 503
    assert client.put(f"/contacts/{second}", json={"contact": {"phone": "1"}}).status_code == 503
    assert client.patch("/contacts", json={"contacts": [{"id": second, "phone": "2"}]}).status_code == 503
    assert client.delete("/contacts", params={"ids[]": [first, second]}).status_code == 503
    assert sandbox.contacts == []
    assert client.get("/contacts").status_code == 200


def test_other_resources_are_left_alone(shop: Shop) -> None:
    faults = [
        Fault(kind="5xx-before", resource="invoices"),
        Fault(kind="422", resource="products", body_contains="prøve"),
    ]
    shop.sandbox.switch(faults=faults)
    assert shop.post().status_code == 503
    assert post(shop.client, 1).status_code == 200
    statuses = [
        shop.client.post("/products", json={"product": {"name": name}}).status_code for name in ("Rød prøve", "Rød")
    ]
    assert statuses == [422, 200]


@pytest.mark.parametrize(
    ("plural", "singular", "keys"),
    [("products", "product", ["name", "productNo"]), ("accounts", "account", ["name", "accountNo"])],
)
def test_other_resources_have_their_own_names(shop: Shop, plural: str, singular: str, keys: list[str]) -> None:
    record = shop.sandbox.records(plural)[0]
    for key in keys:
        shop.sandbox.switch(faults=[Fault(kind="422", record=str(record[key]))])
        error(shop.client.put(f"/{plural}/{record['id']}", json={singular: {"description": "x"}}), 422)


def test_an_invoice_is_known_by_its_number_or_external_id(shop: Shop) -> None:
    shop.sandbox.switch(faults=[Fault(kind="422", record="E-7"), Fault(kind="5xx-before", record="1")])
    assert shop.post(externalId="E-7").status_code == 422
    invoice = shop.approved()
    assert shop.put(invoice, orderNo="x").status_code == 503


def test_a_share_of_all_records_can_be_refused(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.switch(bulk_save="partial", faults=[{"kind": "422", "share": 0.3}])
    items = [{**ITEMS[0], "_clientId": n} for n in range(100)]
    wrong = error(client.patch("/contacts", json={"contacts": items}), 422)["validationErrors"]
    assert 15 < len(wrong) < 45
    assert len(sandbox.contacts) == 100 - len(wrong)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"contacts": 5}', b'{"contact": "x"}'])
def test_bodies_that_are_no_records_match_nothing(client: httpx.Client, sandbox: Sandbox, content: bytes) -> None:
    sandbox.switch(faults=[Fault(kind="5xx-before", record="x")])
    assert client.post("/contacts", content=content).status_code == 400
    assert client.post("/nonsense", content=content).status_code == 404


def test_poison_is_written_as_record_and_kind() -> None:
    fault = parse_poison("A = B ApS=5xx-after")
    assert (fault.record, fault.kind, fault.share) == ("A = B ApS", "5xx-after", None)
    for text in ("Kunde 2", "=422", "Kunde=nonsense"):
        with pytest.raises(ValueError, match=r"RECORD=KIND|kind"):
            parse_poison(text)
