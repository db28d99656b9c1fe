"""What a row of a price list means in Billy: matching keys, differences, bodies (rules B1, B13, B14).

A product has no price key: prices are records of their own, one per currency (documented). Billy's are without VAT; a
row whose `taxMode` is `incl` is converted by the VAT its product has, which for a product that exists Billy knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from billy_pipelines.billy.models import Product, ProductPrice
from billy_pipelines.schemas.cleaning import comparable
from billy_pipelines.schemas.codes import Problem, sentence
from billy_pipelines.schemas.product_prices import (
    BASE_CURRENCY,
    MOST_DIGITS,
    PRICE,
    SHARES,
    Price,
    amount_of,
    currency_of,
    includes_vat,
    is_long,
    is_rounded,
    number,
    plain,
    present_prices,
    price_field,
    stated_prices,
    wanted_prices,
)
from billy_pipelines.schemas.references import DELETE, Accounts
from billy_pipelines.schemas.resource import Change, KeyKind, MatchKey, PlanTerms, Resolved, Row
from billy_pipelines.schemas.vat_rulesets import VatRulesets

TEXTS = ("name", "description", "productNo", "suppliersProductNo")
IDS = ("accountId", "salesTaxRulesetId")
ARCHIVED = "isArchived"
OWN_KEYS = (*TEXTS, *IDS, ARCHIVED)
"""Fields that are keys of a product, under the same name."""
WRITABLE = (*OWN_KEYS, "prices")

NEW_RULESET = "newSalesTaxRulesetId"
"""In a resolved row: the ruleset it gets if it makes a new product, since it names none (rule B1)."""
LOOKED_UP = (*IDS, NEW_RULESET, SHARES)


@dataclass(frozen=True)
class ProductReferences:
    """What rows of products refer to, and for deletes which products are in use (None: any may be)."""

    accounts: Accounts = field(default_factory=Accounts)
    vat: VatRulesets = field(default_factory=VatRulesets)
    base_currency: str = BASE_CURRENCY
    used: frozenset[str] | None = None


# -- references ------------------------------------------------------------------------------------------------------


def resolve(row: Row, references: ProductReferences, terms: PlanTerms) -> Resolved:
    """The row with its account, its VAT and its currency looked up. What a delete does not ask for is not looked up."""
    resolved: dict[str, Any] = {key: value for key, value in row.items() if key not in LOOKED_UP}
    if terms.operation == DELETE:
        return Resolved(resolved)
    vat, language = references.vat, terms.language
    problems: list[Problem] = []
    for_creates: list[Problem] = []
    if row.get("accountNo"):
        account = references.accounts.find(row["accountNo"], "accountNo", language, revenue=True)
        if isinstance(account, Problem):
            problems.append(account)
        else:
            resolved["accountId"] = account.id
    if row.get("salesTaxRuleset"):
        found = vat.find(row["salesTaxRuleset"], "salesTaxRuleset", language)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            resolved["salesTaxRulesetId"] = found
    elif terms.operation == "import":
        preset = vat.of_new("salesTaxRuleset", language)
        if isinstance(preset, Problem):
            for_creates.append(preset)
        elif preset:
            resolved[NEW_RULESET] = preset
        else:
            text = sentence("vat_left_to_billy", language)
            problems.append(Problem("vat_left_to_billy", "salesTaxRuleset", message=text, warning=True))
    if row.get(PRICE):
        resolved["currency"] = row.get("currency") or references.base_currency
    long = [price for price in stated_prices(resolved).values() if is_long(price)]
    if long:
        text = sentence("price_digits", language, value=long[0], most=MOST_DIGITS)
        problems.append(Problem("price_digits", PRICE, str(long[0]), text))
    elif includes_vat(row) and (row.get(PRICE) or row.get("prices")):
        resolved[SHARES] = {ruleset_id: plain(share) for ruleset_id, share in vat.known_shares.items()}
        stated = resolved.get("salesTaxRulesetId")
        if row.get("salesTaxRuleset"):
            resolved[SHARES] = {key: share for key, share in resolved[SHARES].items() if key == stated}
        errors, converted = _conversions(resolved, language)
        if stated:
            problems += errors
        else:
            for_creates += errors
        problems += converted
    return Resolved(resolved, tuple(problems), tuple(for_creates))


def _conversions(row: Row, language: str) -> tuple[list[Problem], list[Problem]]:
    """What is wrong with the prices with VAT of a new product, and how each of them will be sent (rule B14)."""
    wanted = wanted_prices(row, _new_ruleset(row))
    unknown = [price for price in wanted.values() if price.net is None]
    if unknown:
        return [_rate_unknown(unknown[0], language)], []
    converted = [
        Problem("price_converted", PRICE, plain(price.stated), _converted_text(price, language), warning=True)
        for price in wanted.values()
    ]
    return [], converted


def _converted_text(price: Price, language: str) -> str:
    net, percent = plain(price.net or price.stated), plain(price.share * 100)
    return sentence("price_converted", language, value=plain(price.stated), net=net, percent=percent)


def _rate_unknown(price: Price, language: str) -> Problem:
    text = sentence("vat_rate_unknown", language, value=plain(price.stated))
    return Problem("vat_rate_unknown", PRICE, plain(price.stated), text)


def _new_ruleset(row: Row) -> str | None:
    return row.get("salesTaxRulesetId") or row.get(NEW_RULESET)


# -- matching --------------------------------------------------------------------------------------------------------

MATCH_KEYS: tuple[MatchKey[Product], ...] = (
    MatchKey("id", KeyKind.IDENTITY, lambda row: row.get("id"), lambda record: [record.id], must_exist=True),
    MatchKey(
        "productNo",
        KeyKind.IDENTITY,
        lambda row: comparable(row.get("productNo")) or None,
        lambda record: [comparable(record.productNo)],
    ),
    MatchKey("name", KeyKind.WEAK, lambda row: comparable(row.get("name")) or None, lambda r: [comparable(r.name)]),
)


def contradictions(row: Row, record: Product) -> list[str]:
    """An equal name proves nothing where both sides have a number and they differ."""
    given, present = comparable(row.get("productNo")), comparable(record.productNo)
    return ["productNo"] if given and present and given != present else []


# -- changes ---------------------------------------------------------------------------------------------------------


def differences(row: Row, record: Product) -> list[Change]:
    """Fields of the row that mean something else than what Billy has; None in the row clears. Prices in currencies
    that the row does not name are not its business."""
    changes = []
    for name in OWN_KEYS:
        present = _present(record, name)
        if name in row and not _same(name, row[name], present):
            changes.append(Change(name, present, row[name]))
    prices = present_prices(record)
    for currency, price in wanted_prices(row, row.get("salesTaxRulesetId") or record.salesTaxRulesetId).items():
        amount = amount_of(prices.get(currency))
        if price.net is None:
            # No plan has this old value: where a write finds it, the product's VAT has changed since.
            changes.append(Change(price_field(currency), "?", None))
        elif not price.is_in_billy(amount):
            changes.append(Change(price_field(currency), None if amount is None else plain(amount), plain(price.net)))
    return changes


def is_rounded_price(_row: Row, _record: Product, change: Change) -> bool:
    """Whether a difference is only that Billy keeps a price with fewer decimals than were sent."""
    prices = change.new, change.old
    if currency_of(change.field) is None or None in prices:
        return False
    sent, present = map(Decimal, prices)
    return is_rounded(sent, present)


def _present(record: Product, name: str) -> Any:
    value = getattr(record, name)
    return str(bool(value)).lower() if name == ARCHIVED else value


def _same(name: str, left: Any, right: Any) -> bool:
    return (left or None) == (right or None) if name in IDS else comparable(left) == comparable(right)


def update_obstacle(row: Row, record: Product, language: str) -> Problem | None:
    """A price with VAT in it cannot be compared with Billy's without knowing how much (rule B14)."""
    prices = wanted_prices(row, row.get("salesTaxRulesetId") or record.salesTaxRulesetId)
    unknown = next((price for price in prices.values() if price.net is None), None)
    return _rate_unknown(unknown, language) if unknown else None


def wire(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a row, or their new values, as keys of a product's body; None clears (observed)."""
    return {
        name: str(value).lower() == "true" if name == ARCHIVED else value
        for name, value in fields.items()
        if name in OWN_KEYS
    }


def create_body(row: Row) -> dict[str, Any]:
    """The body for a new product; the defaults, 25 % VAT and not archived, hold for creates only (rule B1)."""
    body: dict[str, Any] = {ARCHIVED: False, **wire({name: value for name, value in row.items() if value})}
    ruleset_id = _new_ruleset(row)
    if ruleset_id:
        body["salesTaxRulesetId"] = ruleset_id
    prices = [
        {"currencyId": currency, "unitPrice": number(plain(price.net))}
        for currency, price in wanted_prices(row, ruleset_id).items()
        if price.net is not None
    ]
    return body | ({"prices": prices} if prices else {})


def row_as_product(row: Row, made_up_id: str) -> Product:
    """The product a create of this row would make."""
    body = create_body(row)
    prices = [ProductPrice.model_validate({"id": made_up_id, **price}) for price in body.pop("prices", [])]
    return Product.model_validate({"id": made_up_id, **body}).with_prices(prices)


def is_complete(_row: Row, record: Product) -> bool:
    """Whether a listed product has its prices: each change and delete keeps them as they were."""
    return record.prices is not None


def in_use(record: Product, references: ProductReferences | None) -> bool:
    """Whether a product cannot be deleted; what cannot be told counts as in use."""
    return references is None or references.used is None or record.id in references.used


def label(row: Row) -> str:
    """Its number and name."""
    return " ".join(str(row[key]) for key in ("productNo", "name") if row.get(key)) or str(row.get("id") or "")
