"""Products and their prices (billy-api.md 6.2). The product itself has no price key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..filters import flag, same, search
from ..names import ACCOUNTS, PRICES, PRODUCTS
from ..properties import FLAG, READONLY, TEXT, Property, belongs_to
from ..record import Values
from ..resource import Case, Children, Resource, Rules

if TYPE_CHECKING:
    from ..books import Books


class _Product(Rules):
    def wrong(self, case: Case) -> dict[str, str]:
        """The account is a revenue account (documented); a 422 for another is our choice."""
        account = case.books.records(ACCOUNTS).get(case.values.get("accountId") or "")
        if account is not None and account.values["natureId"] != "revenue":
            return {"accountId": "sandbox: must be a revenue account"}
        return {}

    def defaults(self, books: Books, values: Values) -> dict[str, Any]:
        """The company's account and ruleset where none was sent (unverified)."""
        company = books.organization.values
        return {
            "accountId": values["accountId"] or company["defaultSalesAccountId"],
            "salesTaxRulesetId": values["salesTaxRulesetId"] or company["defaultSalesTaxRulesetId"],
        }


def _words(values: Values, books: Books) -> list[Any]:
    """What product `q` searches is unknown: our choice."""
    return [values["name"], values["productNo"], values["description"]]


PRODUCT = Resource(
    PRODUCTS,
    "product",
    {
        "organizationId": READONLY,
        "name": Property(required=True),
        "description": TEXT,
        "accountId": belongs_to("accounts"),
        "productNo": TEXT,
        "suppliersProductNo": TEXT,
        "salesTaxRulesetId": belongs_to("salesTaxRulesets"),
        "isArchived": FLAG,
        "inventoryAccountId": READONLY,
        "isInInventory": Property("flag", default=False, readonly=True),
        "imageId": READONLY,
        "imageUrl": READONLY,
        "unit": TEXT,
        "createdTime": READONLY,
    },
    children=(Children("prices", PRICES, "productId", "priceIds"),),
    filters={
        "productNo": same("observed", "productNo", indexed=True),
        "isArchived": flag("unverified", "isArchived"),
        "organizationId": same("unverified", "organizationId"),
        "q": search("unverified", _words),
    },
    natural_keys=("name", "productNo", "suppliersProductNo"),
    indexed=("productNo", "accountId"),
    used_by=(("invoiceLines", "productId"),),
    use_switch="product_in_use",
    rules=_Product(),
)

PRICE = Resource(
    PRICES,
    "productPrice",
    {
        "productId": belongs_to("products", required=True, immutable=True),
        "unitPrice": Property("number", required=True, lenient=True),  # text was accepted on write (observed)
        "currencyId": belongs_to("currencies", required=True),
    },
    filters={"productId": same("unverified", "productId", indexed=True)},
    label=("currencyId",),
    natural_keys=(),
    indexed=("productId",),
    unique=("productId", "currencyId"),  # one per currency (documented); a 422 for a second is our choice
)

DESCRIPTIONS = (PRODUCT, PRICE)
