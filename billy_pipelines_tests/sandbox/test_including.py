"""`include` on every resource: billy-api.md section 3.4."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Shop


def body(shop: Shop, path: str, include: str) -> dict[str, Any]:
    response = shop.client.get(path, params={"include": include})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_lines_are_embedded_or_beside(shop: Shop) -> None:
    """Documented for embed and for the array of ids; the records under their plural root are unverified."""
    shop.create(shop.line(1), shop.line(2))
    plain = body(shop, "/invoices", "")
    assert plain.keys() == {"meta", "invoices"}
    assert not plain["invoices"][0].keys() & {"lines", "lineIds", "linesIds"}
    lines = shop.client.get("/invoiceLines").json()["invoiceLines"]
    assert body(shop, "/invoices", "invoice.lines:embed")["invoices"][0]["lines"] == lines
    beside = body(shop, "/invoices", "invoice.lines")
    assert beside["invoices"][0]["lineIds"] == [line["id"] for line in lines]
    assert beside["invoiceLines"] == lines
    one = f"/invoices/{plain['invoices'][0]['id']}"
    assert body(shop, one, "invoice.lines:embed")["invoice"]["lines"] == lines


def test_a_parent_is_beside_or_within(shop: Shop) -> None:
    """Documented: sideload keeps the id and puts the record under its root, embed puts it under the relation's name."""
    shop.create()
    shop.create()
    contact = shop.client.get(f"/contacts/{shop.contact}").json()["contact"]
    beside = body(shop, "/invoices", "invoice.contact:sideload")
    assert beside["contacts"] == [contact]
    assert [invoice["contactId"] for invoice in beside["invoices"]] == [shop.contact] * 2
    within = body(shop, "/invoices", "invoice.contact:embed")
    assert [invoice["contact"] for invoice in within["invoices"]] == [contact] * 2
    assert "contacts" not in within
    assert body(shop, "/invoices", "invoice.attContactPerson:embed")["invoices"][0]["attContactPerson"] is None


@pytest.mark.parametrize(
    ("path", "include", "key", "expected"),
    [
        ("/contacts", "contact.country:embed", "country", "DK"),
        ("/contacts", "contact.contactPersons:embed", "contactPersons", ["bog@x.example"]),
        ("/products", "product.prices:embed", "prices", [12.5]),
        ("/products", "product.account:embed", "account", 1110),
        ("/salesTaxRulesets", "salesTaxRuleset.rules:embed", "rules", [0, 1, 2]),
        ("/salesTaxRulesets", "salesTaxRuleset.fallbackTaxRate:embed", "fallbackTaxRate", 0),
    ],
)
def test_relations_in_use_are_embedded(shop: Shop, path: str, include: str, key: str, expected: Any) -> None:
    """Country is documented; persons, prices and rules are observed; other belongs-to by the same rule."""
    shop.sandbox.change("contacts", shop.contact, contactPersons=[{"email": "bog@x.example"}])
    shop.sandbox.change("products", shop.product, prices=[{"currencyId": "DKK", "unitPrice": 12.5}])
    record = body(shop, path, include)[path[1:]][0]
    part = {"prices": "unitPrice", "contactPersons": "email", "rules": "priority", "account": "accountNo"}
    shown = part.get(key, "rate" if key == "fallbackTaxRate" else "id")
    found = record[key]
    assert ([each[shown] for each in found] if isinstance(found, list) else found[shown]) == expected


def test_several_at_once_and_what_is_no_relation(shop: Shop) -> None:
    """Documented comma; a bare relation does not work (observed). Other resources' relations: left out, our choice."""
    shop.create()
    found = body(shop, "/invoices", "invoice.lines:embed, invoice.contact,invoice.nonsense,lines,contact.country")
    assert found.keys() == {"meta", "invoices", "contacts"}
    assert len(found["invoices"][0]["lines"]) == 1
    assert "country" not in found["contacts"][0]


def test_ids_beside_are_called_in_one_of_two_ways(shop: Shop) -> None:
    """Singular is observed, the relation's name documented: a switch."""
    shop.sandbox.switch(sideload_ids="relation")
    shop.create()
    assert "linesIds" in body(shop, "/invoices", "invoice.lines")["invoices"][0]
    assert "contactPersonsIds" in body(shop, "/contacts", "contact.contactPersons")["contacts"][0]


def test_a_relation_to_the_same_resource_never_hides_the_list(shop: Shop) -> None:
    """Our choice."""
    invoice = shop.approved()
    shop.create(type="creditNote", creditedInvoiceId=invoice["id"])
    assert len(body(shop, "/invoices", "invoice.creditedInvoice")["invoices"]) == 2
    within = body(shop, "/invoices", "invoice.creditedInvoice:embed")["invoices"]
    assert within[1]["creditedInvoice"]["invoiceNo"] == "1"
    assert "downloadUrl" in within[1]["creditedInvoice"]


def test_include_can_be_ignored(shop: Shop) -> None:
    """A switch: clients must look at what came."""
    shop.sandbox.switch(include="ignored")
    shop.create()
    assert body(shop, "/invoices", "invoice.lines:embed,invoice.contact").keys() == {"meta", "invoices"}
