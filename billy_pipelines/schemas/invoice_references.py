"""What invoices refer to in the books, read once before the plan: contacts, products, numbers, rates, VAT periods.

Only what some row asks for is read. Lists that a company may not have, or a token may not see, count as empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from billy_pipelines.billy.client import BillyClient, Roots
from billy_pipelines.billy.errors import ListingUnstable, RateLimited, Refused, TokenRefused, UnexpectedAnswer
from billy_pipelines.billy.invoice_models import Invoice
from billy_pipelines.billy.listing import RawRecord
from billy_pipelines.billy.models import Contact, Product, ProductPrice
from billy_pipelines.schemas.contact_requests import read_all_contacts
from billy_pipelines.schemas.invoice_grouping import CONTACT
from billy_pipelines.schemas.invoice_lookups import Contacts, Invoices, NumberSeries, Products
from billy_pipelines.schemas.invoice_meaning import ATTENTION, number
from billy_pipelines.schemas.invoice_rules import PRODUCT
from billy_pipelines.schemas.payment_terms import Terms
from billy_pipelines.schemas.resource import PlanTerms

CONTACTS, PRODUCTS = "contacts", "products"
BASE_CURRENCY = "DKK"
"""Where the company does not say."""


@dataclass(frozen=True)
class InvoiceReferences:
    """The books as far as invoices refer to them."""

    language: str = "en"
    contacts: Contacts = field(default_factory=lambda: Contacts(()))
    products: Products = field(default_factory=lambda: Products(()))
    invoices: Invoices = field(default_factory=lambda: Invoices(()))
    """Present invoices."""
    series: NumberSeries = field(default_factory=lambda: NumberSeries(None, ()))
    base_currency: str = BASE_CURRENCY
    company_terms: str | None = None
    """The company's payment terms in the one spelling."""
    exchange_rates: Mapping[str, Decimal | None] = field(default_factory=dict)
    """Base units per unit, by currency; None where Billy knows the currency and gives no rate."""
    tax_rates: Mapping[str, Decimal] = field(default_factory=dict)
    """VAT rates by id, 0.25 for 25 %."""
    settled_periods: tuple[tuple[str, str], ...] = ()
    """First and last day of VAT periods that are settled."""

    def listed(self, resource: str) -> Sequence[Contact | Product]:
        """The contacts or products that were read."""
        return self.contacts.records if resource == CONTACTS else self.products.records

    def with_made(self, made: Mapping[str, Sequence[Any]]) -> InvoiceReferences:
        """The same with contacts and products that rows have made on the way, and no own number taken yet."""
        contacts, products = (_with(self.listed(name), made.get(name)) for name in (CONTACTS, PRODUCTS))
        return replace(
            self,
            contacts=self.contacts if contacts is None else Contacts(contacts),
            products=self.products if products is None else Products(products),
            series=self.series.afresh(),
        )


def _with(listed: Sequence[Any], made: Sequence[Any] | None) -> list[Any] | None:
    """Records with those made: as their rows say them, not as they were listed since, so that a plan that goes on comes
    out as it was; None where there are none."""
    ids = {record.id for record in made or ()}
    return [*(record for record in listed if record.id not in ids), *(made or ())] if ids else None


async def load_references(
    client: BillyClient, terms: PlanTerms, fields: frozenset[str], present: Sequence[Invoice]
) -> InvoiceReferences:
    """Read what rows with these fields refer to; `present` are the invoices there are. A delete refers to nothing.

    Raises:
        BillyError: Billy cannot be read.
    """
    if terms.operation == "delete":
        return InvoiceReferences(terms.language)
    new = terms.operation == "import"
    asks_contacts = not fields.isdisjoint({*CONTACT, ATTENTION})
    contacts = Contacts(await read_all_contacts(client) if asks_contacts else ())
    products = Products(await _products(client, prices=new) if not fields.isdisjoint(PRODUCT) else ())
    invoices = Invoices(present)
    if not new:
        return InvoiceReferences(terms.language, contacts, products, invoices)
    company = (await client.organization()).image()
    base = str(company.get("baseCurrencyId") or BASE_CURRENCY)
    return InvoiceReferences(
        terms.language,
        contacts,
        products,
        invoices,
        NumberSeries(company.get("nextInvoiceNo"), invoices.numbers),
        base,
        preset_terms(company.get("paymentTermsMode"), company.get("paymentTermsDays")),
        await _exchange_rates(client, base) if fields & {"currency", "exchangeRate"} else {},
        await _tax_rates(client),
        await _settled_periods(client),
    )


def preset_terms(mode: Any, days: Any) -> str | None:
    """Terms of a contact or company as rows spell them; None where it has none, or some that cannot be told."""
    known = mode in ("net", "netEndOfMonth") and isinstance(days, int)
    return Terms(mode, days).text if known else None


async def _products(client: BillyClient, *, prices: bool) -> list[Product]:
    """Every product, archived ones too (which lists hold those is unknown: see `read_all_contacts`)."""
    query: dict[str, str | int] = {"include": "product.prices:embed"} if prices else {}
    records, roots = await client.list("products", query)
    if not any(raw.get("isArchived") for raw in records.values()):
        archived_query: dict[str, str | int] = {**query, "isArchived": "true"}
        page = await client.first_page("products", archived_query)
        if page and all(raw.get("isArchived") for raw in page):
            more, more_roots = await client.list("products", archived_query)
            records, roots = records | more, roots + more_roots
    products = [Product.model_validate(raw) for raw in records.values()]
    return await _with_prices(client, products, roots) if prices else products


async def _with_prices(client: BillyClient, products: list[Product], roots: Roots) -> list[Product]:
    if all(product.prices is not None for product in products):
        return products
    raw = [each for root in roots for each in root.get("productPrices") or []]
    raw = raw or list((await _optional_list(client, "productPrices")).values())
    by_product: dict[str | None, list[ProductPrice]] = {}
    for each in raw:
        price = ProductPrice.model_validate(each)
        by_product.setdefault(price.productId, []).append(price)
    return [p if p.prices is not None else p.with_prices(by_product.get(p.id, ())) for p in products]


async def _optional_list(client: BillyClient, plural: str) -> dict[str, RawRecord]:
    """A list that may not be there for this company or token."""
    try:
        return (await client.list(plural, {}))[0]
    except RateLimited:
        raise
    except TokenRefused as error:
        if error.status == 401:
            raise
        return {}
    except (Refused, UnexpectedAnswer, ListingUnstable):
        return {}


async def _exchange_rates(client: BillyClient, base: str) -> dict[str, Decimal | None]:
    """Base units for one unit of each currency, as on invoices (observed); where Billy's list gives the base currency
    another rate than 1, all count against that."""
    listed = await _optional_list(client, "currencies")
    rates = {code: _positive(raw.get("exchangeRate")) for code, raw in listed.items()}
    of_base = rates.get(base) or Decimal(1)
    return {code: rate / of_base if rate else None for code, rate in rates.items()}


async def _tax_rates(client: BillyClient) -> dict[str, Decimal]:
    """VAT rates by id. That 25 % is 0.25 here is unverified; a rate above 1 can only be meant in percent."""
    found = {}
    for record_id, raw in (await _optional_list(client, "taxRates")).items():
        rate = _number(raw.get("rate"))
        if rate is not None:
            found[record_id] = rate / 100 if rate > 1 else rate
    return found


async def _settled_periods(client: BillyClient) -> tuple[tuple[str, str], ...]:
    """VAT periods that are settled, where Billy's list tells their days and state (its values are unknown)."""
    return tuple(_periods((await _optional_list(client, "salesTaxReturns")).values()))


def _periods(returns: Iterable[RawRecord]) -> Iterable[tuple[str, str]]:
    for raw in returns:
        start, end = raw.get("startDate"), raw.get("endDate")
        if raw.get("isSettled") is True and isinstance(start, str) and isinstance(end, str) and start and end:
            yield start[:10], end[:10]


def _number(value: Any) -> Decimal | None:
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _positive(value: Any) -> Decimal | None:
    rate = _number(value)
    return rate if rate and rate > 0 else None
