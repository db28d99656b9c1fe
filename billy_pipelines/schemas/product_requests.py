"""The requests behind a product: reading all or one with its prices, writing changes, and what its rows refer to.

A price is changed on its own record and nowhere else: sending a product's list of prices replaces all of them (one
report, in line with the rule for all such lists: billy-api.md section 7).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.errors import UnexpectedAnswer
from billy_pipelines.billy.models import Product, ProductPrice
from billy_pipelines.schemas.product_meaning import ProductReferences, wire
from billy_pipelines.schemas.product_prices import BASE_CURRENCY, currency_of, number, present_prices
from billy_pipelines.schemas.references import (
    DELETE,
    Accounts,
    embedded,
    list_if_offered,
    list_with_archived,
    products_in_use,
    read_accounts,
)
from billy_pipelines.schemas.resource import Change, PlanTerms
from billy_pipelines.schemas.telling import children_after
from billy_pipelines.schemas.vat_rulesets import VatRulesets, read_vat_rulesets

INCLUDE_PRICES = "product.prices:embed"
PRICES = "productPrices"


def _product(raw: dict[str, Any], prices: Iterable[dict[str, Any]] | None) -> Product:
    product = Product.model_validate({key: value for key, value in raw.items() if key != "prices"})
    return product if prices is None else product.with_prices(map(ProductPrice.model_validate, prices))


def created_product(answer: dict[str, Any]) -> Product:
    """The new product, with its prices, out of the plural arrays of a write's answer (documented)."""
    raw, prices = answer["products"][0], answer.get(PRICES)
    own = [price for price in prices if price.get("productId") == raw["id"]] if isinstance(prices, list) else None
    return _product(raw, own)


async def read_all_products(client: BillyClient) -> list[Product]:
    """Every product, with prices, active and archived. Where `include` brings none, all prices are listed at once."""
    records, roots = await list_with_archived(client, "products", {"include": INCLUDE_PRICES})
    prices = embedded(records, roots, relation="prices", plural=PRICES, parent="productId")
    if len(prices) < len(records) and (beside := await list_if_offered(client, PRICES)):
        grouped: dict[str, list[dict[str, Any]]] = {}
        for price in beside[0].values():
            grouped.setdefault(str(price.get("productId")), []).append(price)
        # Whether that list holds the prices of archived products is unknown: without any, such a one is read by itself.
        prices = {
            each: grouped.get(each, []) for each, raw in records.items() if each in grouped or not raw.get("isArchived")
        }
    return [_product(raw, prices.get(product_id)) for product_id, raw in records.items()]


async def read_one_product(client: BillyClient, record_id: str) -> Product:
    """One product with all its prices; they are asked for by themselves when `include` did not bring them."""
    answer = await client.get("products", record_id, singular="product", query={"include": INCLUDE_PRICES})
    raw = answer["product"]
    if raw.get("id") != record_id:
        raise UnexpectedAnswer(f"Billy was asked for product {record_id} and answered with {raw.get('id')}.")
    prices = embedded({record_id: raw}, [answer], relation="prices", plural=PRICES, parent="productId").get(record_id)
    if prices is None and (listed := await list_if_offered(client, PRICES, {"productId": record_id})):
        prices = [price for price in listed[0].values() if price.get("productId") == record_id]
    return _product(raw, prices)


async def write_product_update(client: BillyClient, record: Product, changes: list[Change], permitted: bool) -> Product:
    """Carry out changes: the product's own keys in one PUT, each price on its own record; prices in other currencies
    stay. Returns the record as the answers leave it."""
    if keys := wire({change.field: change.new for change in changes}):
        answer = await client.update("products", "product", record.id, keys, permitted=permitted)
        record = _merged(record, answer, keys)
        permitted = False
    for change in changes:
        currency = currency_of(change.field)
        if not currency:
            continue
        price = present_prices(record).get(currency)
        amount = {"unitPrice": number(change.new)}
        if price is not None:
            answer = await client.update(PRICES, "productPrice", price.id, amount, permitted=permitted)
            record = _merged(record, answer, price={"id": price.id, **amount})
        else:
            body = {"productId": record.id, "currencyId": currency, **amount}
            answer = await client.create(PRICES, "productPrice", body, permitted=permitted)
            record = _merged(record, answer, price=body)
        permitted = False
    return record


def _merged(
    record: Product, answer: dict[str, Any], sent: dict[str, Any] | None = None, price: dict[str, Any] | None = None
) -> Product:
    """The record after a write: what we sent of it or of a price, then what Billy says; that answers are complete is
    unverified."""
    product = record.image() | (sent or {})
    for raw in answer.get("products") or []:
        if isinstance(raw, dict) and raw.get("id") == record.id:
            product |= {key: value for key, value in raw.items() if key != "prices"}
    known = {each.id: each.image() for each in record.prices or []}
    prices = children_after(known, answer.get(PRICES), "productId", record.id, price)
    return _product(product, None if record.prices is None and not prices else prices)


async def product_references(
    client: BillyClient, terms: PlanTerms, fields: frozenset[str], _products: Sequence[Product]
) -> ProductReferences:
    """What these rows need looked up; for a delete, what is in use."""
    if terms.operation == DELETE:
        return ProductReferences(used=await products_in_use(client))
    needs_vat = terms.operation == "import" or bool({"salesTaxRuleset", "taxMode"} & fields)
    if not needs_vat and fields.isdisjoint({"accountNo", "unitPrice"}):
        return ProductReferences()
    company = await client.organization()
    accounts = await read_accounts(client) if "accountNo" in fields else Accounts()
    mapping = terms.organization.vat
    vat = await read_vat_rulesets(client, mapping, company.defaultSalesTaxRulesetId) if needs_vat else VatRulesets()
    return ProductReferences(accounts, vat, company.baseCurrencyId or BASE_CURRENCY)
