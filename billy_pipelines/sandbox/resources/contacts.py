"""Contacts, contact persons and organizations (billy-api.md 6.1, 6.7).

`email`, `city`, `zipcode` and `vatNo` are not keys of a contact (documented).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from ..filters import flag, one_of, same, search
from ..names import CONTACTS, ORGANIZATIONS, PERSONS
from ..properties import COUNTRY, CURRENCY, FLAG, LOCALE, READONLY, TERMS, TEXT, Property, belongs_to, choice
from ..record import Values
from ..resource import Case, Children, Resource, Rules, refusing

if TYPE_CHECKING:
    from ..books import Books


class _Contact(Rules):
    def defaults(self, books: Books, values: Values) -> dict[str, Any]:
        """Set by Billy if absent (unverified)."""
        return {} if values["accessCode"] else {"accessCode": secrets.token_hex(8)}


class _Person(Rules):
    def wrong(self, case: Case) -> dict[str, str]:
        """One of name and e-mail is enough (observed)."""
        if case.after("name") or case.after("email"):
            return {}
        return {"name": "sandbox: needs a value, or an email"}


def _words(values: Values, books: Books) -> list[Any]:
    """Contact `q` is said to search name, number, phone and e-mail (unverified)."""
    emails = [person.values["email"] for person in books.where(PERSONS, "contactId", values["id"])]
    return [values["name"], values["contactNo"], values["phone"], *emails]


CONTACT = Resource(
    CONTACTS,
    "contact",
    {
        "type": choice("company", "person", default="company"),
        "organizationId": READONLY,
        "createdTime": READONLY,
        "name": Property(required=True),
        "countryId": COUNTRY,
        "street": TEXT,
        "cityId": TEXT,
        "cityText": TEXT,
        "stateId": TEXT,
        "stateText": TEXT,
        "zipcodeId": TEXT,
        "zipcodeText": TEXT,
        "contactNo": TEXT,
        "phone": TEXT,
        "fax": TEXT,
        "currencyId": CURRENCY,
        "registrationNo": TEXT,
        "ean": TEXT,
        "localeId": LOCALE,
        "isCustomer": FLAG,  # Billy's default is unknown; false is our choice
        "isSupplier": FLAG,
        "paymentTermsMode": TERMS,
        "paymentTermsDays": Property("integer"),
        "accessCode": TEXT,
        "emailAttachmentDeliveryMode": TEXT,
        "isArchived": FLAG,
        "isSalesTaxExempt": FLAG,
        "defaultExpenseProductDescription": TEXT,
        "defaultExpenseAccountId": belongs_to("accounts"),
        "defaultTaxRateId": belongs_to("taxRates"),
    },
    children=(Children("contactPersons", PERSONS, "contactId", "contactPersonIds"),),
    filters={
        "contactNo": same("observed", "contactNo", indexed=True),
        "type": one_of("observed", "type", "company", "person"),
        "isArchived": flag("unverified", "isArchived"),
        "isCustomer": flag("unverified", "isCustomer"),
        "isSupplier": flag("unverified", "isSupplier"),
        "phone": same("unverified", "phone"),
        "countryId": same("unverified", "countryId"),
        "organizationId": same("unverified", "organizationId"),
        "q": search("unverified", _words),
    },
    natural_keys=("name", "contactNo", "registrationNo", "ean"),
    indexed=("contactNo",),
    used_by=(("invoices", "contactId"),),
    use_switch="contact_in_use",
    rules=_Contact(),
)

PERSON = Resource(
    PERSONS,
    "contactPerson",
    {
        "contactId": belongs_to("contacts", required=True, immutable=True),
        "isPrimary": FLAG,
        "name": TEXT,
        "email": TEXT,
    },
    filters={"contactId": same("observed", "contactId", indexed=True)},
    label=("name", "email"),
    natural_keys=("name", "email"),
    indexed=("contactId",),
    list_needs="contactId",
    rules=_Person(),
)

ORGANIZATION = Resource(
    ORGANIZATIONS,
    "organization",
    {
        "name": Property(required=True),
        "ownerUserId": TEXT,
        "street": TEXT,
        "zipcode": TEXT,
        "city": TEXT,
        "phone": TEXT,
        "email": TEXT,
        "registrationNo": TEXT,
        "countryId": belongs_to("countries", required=True, immutable=True),
        "baseCurrencyId": belongs_to("currencies", required=True, immutable=True),
        "localeId": LOCALE,
        "fiscalYearEndMonth": Property("integer", default=12),
        "vatPeriod": TEXT,
        "hasVat": FLAG,
        "invoiceNoMode": TEXT,
        "nextInvoiceNo": Property("integer", default=1),
        "paymentTermsMode": TERMS,
        "paymentTermsDays": Property("integer"),
        "defaultTaxMode": choice("incl", "excl"),
        "defaultSalesAccountId": belongs_to("accounts"),
        "defaultSalesTaxRulesetId": belongs_to("salesTaxRulesets"),
        "defaultInvoiceBankAccountId": belongs_to("accounts"),
        "defaultBankFeeAccountId": belongs_to("accounts"),
        "createdTime": READONLY,
        "isLocked": Property("flag", readonly=True, default=False),
        "isTrial": Property("flag", readonly=True, default=False),
    },
    # DELETE is refused (observed). Reports on listing differ (unverified); refusing it and the rest is our choice.
    refused=refusing("list", "create", "save_many", "delete", "delete_many"),
)

DESCRIPTIONS = (CONTACT, PERSON, ORGANIZATION)
