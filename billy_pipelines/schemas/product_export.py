"""How products are exported: the columns of a price list out of a product and its prices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.models import Product, ProductPrice
from billy_pipelines.schemas.export import Children, Export, FileRow, flag_text, number_text, picked_list
from billy_pipelines.schemas.product_prices import BASE_CURRENCY, present_prices
from billy_pipelines.schemas.product_requests import INCLUDE_PRICES, PRICES
from billy_pipelines.schemas.vat_rulesets import read_vat_rulesets
from billy_pipelines.settings import Organization

_COLUMNS = (
    *("id", "name", "description", "productNo", "suppliersProductNo", "accountNo", "unitPrice", "currency"),
    *("salesTaxRuleset", "isArchived", "prices"),
)

_RULESETS = ("vat25", "vat0", "abroad")


@dataclass(frozen=True)
class _Books:
    account_numbers: Mapping[str, str]
    rulesets: Mapping[str, str]
    """Id -> what rows call it; rulesets that no word means have none."""
    currency: str


async def _books(client: BillyClient, organization: Organization) -> _Books:
    company = await client.organization()
    vat = await read_vat_rulesets(client, organization.vat, company.defaultSalesTaxRulesetId)
    found = {word: vat.find(word, "", "en") for word in _RULESETS}
    return _Books(
        await picked_list(client, "accounts", lambda raw: str(raw.get("accountNo") or ""), {}, archived=True),
        {ruleset: word for word, ruleset in reversed(found.items()) if isinstance(ruleset, str)},
        company.baseCurrencyId or BASE_CURRENCY,
    )


def _rows(record: Product, books: _Books) -> list[FileRow]:
    prices = present_prices(record)
    own = books.currency if books.currency in prices else next(iter(prices), "")
    # A list of prices names only those above 0, which is what an import takes.
    others = [
        {"currencyId": currency, "unitPrice": number_text(price.unitPrice)}
        for currency, price in prices.items()
        if currency != own and (price.unitPrice or 0) > 0
    ]
    return [
        {
            "id": record.id,
            "name": record.name,
            "description": record.description,
            "productNo": record.productNo,
            "suppliersProductNo": record.suppliersProductNo,
            "accountNo": books.account_numbers.get(record.accountId or ""),
            "unitPrice": number_text(prices[own].unitPrice) if own else None,
            "currency": own or None,
            "salesTaxRuleset": books.rulesets.get(record.salesTaxRulesetId or ""),
            "isArchived": flag_text(record.isArchived),
            "prices": json.dumps(others) if others else None,
        }
    ]


PRODUCTS_EXPORT = Export[Product](
    model=Product,
    columns=_COLUMNS,
    rows=_rows,
    query={"include": INCLUDE_PRICES},
    children=Children("prices", PRICES, "productId", ProductPrice),
    references=_books,
)
