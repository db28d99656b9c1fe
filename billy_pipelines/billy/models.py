"""Records as Billy sends them (billy-api.md section 6). Unknown keys are kept, secrets dropped (rule B24)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SECRET_KEYS = frozenset({"accessCode", "downloadUrl"})


class Record(BaseModel):
    """Any record: an id, and keys that may come and go with Billy's versions."""

    # Numbers where texts are expected: official samples and real payloads differ on `invoiceNo` (billy-api.md 6.3).
    model_config = ConfigDict(extra="allow", frozen=True, coerce_numbers_to_str=True)

    id: str

    @model_validator(mode="before")
    @classmethod
    def _drop_secrets(cls, data: Any) -> Any:
        if isinstance(data, dict) and not SECRET_KEYS.isdisjoint(data):
            return {key: value for key, value in data.items() if key not in SECRET_KEYS}
        return data

    def image(self) -> dict[str, Any]:
        """The record as JSON, for the journal."""
        return self.model_dump(mode="json")


class ContactPerson(Record):
    """A person of a contact; e-mail addresses live here and nowhere else (documented)."""

    contactId: str | None = None  # noqa: N815 - wire keys, as all below
    name: str | None = None
    email: str | None = None
    isPrimary: bool | None = None  # noqa: N815


class Contact(Record):
    """A customer or supplier. `contactPersons` is None when the answer did not include them."""

    name: str | None = None
    type: str | None = None
    countryId: str | None = None  # noqa: N815
    street: str | None = None
    cityText: str | None = None  # noqa: N815
    zipcodeText: str | None = None  # noqa: N815
    phone: str | None = None
    contactNo: str | None = None  # noqa: N815
    registrationNo: str | None = None  # noqa: N815
    ean: str | None = None
    isCustomer: bool | None = None  # noqa: N815
    isSupplier: bool | None = None  # noqa: N815
    isArchived: bool | None = None  # noqa: N815
    localeId: str | None = None  # noqa: N815
    paymentTermsMode: str | None = None  # noqa: N815
    paymentTermsDays: int | None = None  # noqa: N815
    defaultExpenseAccountId: str | None = None  # noqa: N815
    defaultExpenseProductDescription: str | None = None  # noqa: N815
    contactPersons: list[ContactPerson] | None = None  # noqa: N815

    @property
    def emails(self) -> list[str]:
        """The persons' addresses, as Billy has them."""
        return [person.email for person in self.contactPersons or [] if person.email]

    def with_persons(self, persons: list[ContactPerson]) -> Self:
        """The same contact with its persons filled in."""
        return self.model_copy(update={"contactPersons": persons})


class ProductPrice(Record):
    """What a product costs on invoices in one currency; its other keys say nothing and are dropped."""

    model_config = ConfigDict(extra="ignore")

    productId: str | None = None  # noqa: N815
    currencyId: str | None = None  # noqa: N815
    unitPrice: float | None = None  # noqa: N815


class Product(Record):
    """A product. `prices` is None when the answer did not include them; the product itself has no price key."""

    name: str | None = None
    description: str | None = None
    productNo: str | None = None  # noqa: N815
    suppliersProductNo: str | None = None  # noqa: N815
    accountId: str | None = None  # noqa: N815
    salesTaxRulesetId: str | None = None  # noqa: N815
    isArchived: bool | None = None  # noqa: N815
    prices: list[ProductPrice] | None = None

    def with_prices(self, prices: Iterable[ProductPrice]) -> Self:
        """The same product with its prices filled in; in the order of currencies, so that equal ones look equal."""
        own = (price.model_copy(update={"productId": self.id}) for price in prices)
        return self.model_copy(update={"prices": sorted(own, key=lambda price: (price.currencyId or "", price.id))})


class Account(Record):
    """An account of the chart. `natureId`: asset, liability, equity, revenue or expense."""

    name: str | None = None
    accountNo: str | None = None  # noqa: N815
    natureId: str | None = None  # noqa: N815
    isArchived: bool | None = None  # noqa: N815


class TaxRate(Record):
    """A rate of VAT; that `rate` is 0.25 for 25 % is unverified."""

    name: str | None = None
    rate: float | None = None


class SalesTaxRule(Record):
    """One line of a VAT ruleset: for customers such as this the rate is that."""

    rulesetId: str | None = None  # noqa: N815
    countryId: str | None = None  # noqa: N815
    stateId: str | None = None  # noqa: N815
    contactType: str | None = None  # noqa: N815
    taxRateId: str | None = None  # noqa: N815


class SalesTaxRuleset(Record):
    """How VAT on sales is chosen. `rules` is None when the answer did not include them."""

    name: str | None = None
    abbreviation: str | None = None
    fallbackTaxRateId: str | None = None  # noqa: N815
    rules: list[SalesTaxRule] | None = None


class Organization(Record):
    """The company a token belongs to."""

    name: str | None = None
    registrationNo: str | None = None  # noqa: N815
    baseCurrencyId: str | None = None  # noqa: N815
    defaultSalesTaxRulesetId: str | None = None  # noqa: N815


class Paging(BaseModel):
    """`meta.paging` of a list (documented); the addresses in it are never followed (rule B25)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    page: int | None = None
    pageCount: int | None = Field(default=None)  # noqa: N815
    pageSize: int | None = None  # noqa: N815
    total: int | None = None
