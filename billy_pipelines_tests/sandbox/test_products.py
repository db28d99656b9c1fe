"""Products and their prices: billy-api.md sections 3.3, 6.2, 7, 8."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from billy_pipelines.sandbox import Sandbox

from .conftest import Shop
from .test_records import attributes, error


def post(client: httpx.Client, **values: Any) -> httpx.Response:
    return client.post("/products", json={"product": {"name": "Vare", **values}})


def prices_of(sandbox: Sandbox) -> dict[str, float]:
    return {price["currencyId"]: price["unitPrice"] for price in sandbox.records("productPrices")}


def test_a_product_is_created_with_its_prices(client: httpx.Client, sandbox: Sandbox) -> None:
    """Shapes documented or observed: the sample of section 8. Company account and ruleset as defaults: unverified."""
    sent = {"name": "Blå prøvevare", "productNo": "0042", "prices": [{"currencyId": "DKK", "unitPrice": 125.5}]}
    body = client.post("/products", json={"product": sent}).json()
    assert body.keys() == {"meta", "products", "productPrices"}
    product, price = body["products"][0], body["productPrices"][0]
    company = sandbox.books.organization.values
    assert list(product)[:13] == [
        *("id", "organizationId", "name", "description", "accountId", "productNo", "suppliersProductNo"),
        *("salesTaxRulesetId", "isArchived", "inventoryAccountId", "isInInventory", "imageId", "imageUrl"),
    ]
    assert product["accountId"] == company["defaultSalesAccountId"]
    assert product["salesTaxRulesetId"] == company["defaultSalesTaxRulesetId"]
    assert price == {"id": price["id"], "productId": product["id"], "unitPrice": 125.5, "currencyId": "DKK"}


def test_prices_in_a_product_body_replace_all(client: httpx.Client, sandbox: Sandbox) -> None:
    """By the general rule for embedded children (documented), and one report (unverified)."""
    prices = [{"currencyId": "DKK", "unitPrice": 1}, {"currencyId": "EUR", "unitPrice": 2}]
    product = post(client, prices=prices).json()["products"][0]
    path = f"/products/{product['id']}"
    body = client.put(path, json={"product": {"prices": [{"currencyId": "EUR", "unitPrice": 3}]}}).json()
    assert len(body["meta"]["deletedRecords"]["productPrices"]) == 2
    assert prices_of(sandbox) == {"EUR": 3}
    client.put(path, json={"product": {"name": "Anden"}})
    assert prices_of(sandbox) == {"EUR": 3}


def test_prices_have_their_own_verbs_and_one_currency_each(client: httpx.Client, sandbox: Sandbox) -> None:
    """One per currency is documented; the 422 for a second is our choice."""
    product_id = post(client, prices=[{"currencyId": "DKK", "unitPrice": 1}]).json()["products"][0]["id"]

    def price(**values: Any) -> httpx.Response:
        return client.post("/productPrices", json={"productPrice": {"productId": product_id, **values}})

    made = price(currencyId="EUR", unitPrice=2).json()["productPrices"][0]
    assert list(attributes(price(currencyId="EUR", unitPrice=3))) == ["currencyId"]
    path = f"/productPrices/{made['id']}"
    client.put(path, json={"productPrice": {"unitPrice": 4}})
    assert list(attributes(client.put(path, json={"productPrice": {"currencyId": "DKK"}}))) == ["currencyId"]
    assert prices_of(sandbox) == {"DKK": 1, "EUR": 4}
    twice = post(client, prices=[{"currencyId": "SEK", "unitPrice": 1}] * 2)
    assert list(attributes(twice, "1.prices.2")) == ["currencyId"]
    client.delete(path)
    assert prices_of(sandbox) == {"DKK": 1}


@pytest.mark.parametrize(("sent", "stored"), [("12.50", 12.5), (10.0, 10), (0, 0), (-3, -3)])
def test_a_unit_price_may_come_as_text_and_travels_as_a_number(
    client: httpx.Client, sandbox: Sandbox, sent: Any, stored: float
) -> None:
    """Observed for text on write and bare whole values; zero and negative prices pass by our choice."""
    post(client, prices=[{"currencyId": "DKK", "unitPrice": sent}])
    assert repr(prices_of(sandbox)["DKK"]) == repr(stored)


@pytest.mark.parametrize("price", ["tolv", "nan", "", True, None, 1e300, "1e999", [1]])
def test_a_unit_price_that_is_no_number_is_refused(client: httpx.Client, sandbox: Sandbox, price: Any) -> None:
    """Our choice: a 422 that names the key, with an entry for the child (observed)."""
    response = post(client, prices=[{"currencyId": "DKK", "unitPrice": price}])
    assert list(attributes(response, "1.prices.1")) == ["unitPrice"]
    assert sandbox.records("products") == []


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"name": None}, "name"),
        ({"accountId": "missing"}, "accountId"),
        ({"salesTaxRulesetId": "missing"}, "salesTaxRulesetId"),
        ({"isArchived": "nej"}, "isArchived"),
        ({"prices": {}}, "prices"),
    ],
)
def test_wrong_products_are_refused(client: httpx.Client, values: dict[str, Any], key: str) -> None:
    """Statuses are our choice."""
    assert list(attributes(post(client, **values))) == [key]


def test_the_account_must_be_a_revenue_account(client: httpx.Client, sandbox: Sandbox) -> None:
    """Documented as a revenue account; the refusal of another is our choice."""
    accounts = {account["accountNo"]: account["id"] for account in sandbox.records("accounts")}
    assert list(attributes(post(client, accountId=accounts[2740]))) == ["accountId"]
    assert post(client, accountId=accounts[1120]).json()["products"][0]["accountId"] == accounts[1120]


def test_product_no_filters_exactly(client: httpx.Client, sandbox: Sandbox) -> None:
    """Observed."""
    sandbox.add("products", [{"name": "a", "productNo": "42"}, {"name": "b", "productNo": "042"}])
    listed = client.get("/products?productNo=42").json()
    assert [product["name"] for product in listed["products"]] == ["a"]
    assert "prices" not in listed["products"][0]


def test_the_product_filter_on_prices_is_ignored_unless_switched_on(client: httpx.Client, sandbox: Sandbox) -> None:
    """Unverified, so a switch: a client must look at what comes back."""
    first, _ = sandbox.add(
        "products", [{"name": n, "prices": [{"currencyId": "DKK", "unitPrice": 1}]} for n in ("a", "b")]
    )
    assert len(client.get(f"/productPrices?productId={first}").json()["productPrices"]) == 2
    sandbox.switch(unproven_filters="honoured")
    assert [p["productId"] for p in client.get(f"/productPrices?productId={first}").json()["productPrices"]] == [first]


def test_archived_products_are_listed_or_hidden(client: httpx.Client, sandbox: Sandbox) -> None:
    """Unknown in Billy: a switch, as for contacts."""
    sandbox.add("products", [{"name": "a"}, {"name": "b", "isArchived": True}])
    assert client.get("/products").json()["meta"]["paging"]["total"] == 2
    sandbox.switch(archived_in_lists="hidden")
    assert [p["name"] for p in client.get("/products").json()["products"]] == ["a"]
    assert [p["name"] for p in client.get("/products?isArchived=true").json()["products"]] == ["b"]


def test_a_product_on_lines_cannot_be_deleted_unless_the_switch_allows_it(shop: Shop) -> None:
    """Unknown in Billy: a switch. Archiving works (observed)."""
    invoice = shop.create()
    path = f"/products/{shop.product}"
    assert "in use" in error(shop.client.delete(path), 422)["errorMessage"]
    assert shop.client.put(path, json={"product": {"isArchived": True}}).status_code == 200
    shop.client.delete(f"/invoices/{invoice['id']}")
    shop.sandbox.mark_in_use(shop.product)
    error(shop.client.delete(path), 422)
    shop.sandbox.switch(product_in_use="allowed")
    assert shop.client.delete(path).json()["meta"]["deletedRecords"] == {"products": [shop.product]}


def test_a_product_goes_with_its_prices(client: httpx.Client, sandbox: Sandbox) -> None:
    """Observed: removed children are listed too."""
    [product_id] = sandbox.add("products", [{"name": "a", "prices": [{"currencyId": "DKK", "unitPrice": 1}]}])
    [price] = sandbox.records("productPrices")
    removed = client.delete(f"/products/{product_id}").json()["meta"]["deletedRecords"]
    assert removed == {"products": [product_id], "productPrices": [price["id"]]}
    assert sandbox.records("productPrices") == []
