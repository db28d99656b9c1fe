"""Invoices, credit notes and their lines (billy-api.md 6.3, 6.4). What they do is in `invoicing`."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from ..filters import amount, flag, limit, one_of, same, search, within
from ..invoicing import InvoiceRules, LineRules
from ..names import CONTACTS, INVOICES, LINES
from ..properties import CURRENCY, NUMBER, READONLY, TERMS, TEXT, Property, belongs_to, choice
from ..record import Values
from ..resource import Children, Resource

if TYPE_CHECKING:
    from ..books import Books

_STATES = ("draft", "approved", "voided")


def _contact_name(books: Books, values: Values) -> Any:
    contact = books.records(CONTACTS).get(values["contactId"])
    return None if contact is None else contact.values["name"]


def _number(books: Books, values: Values) -> Any:
    """Numbers by size, other texts after them (how Billy orders them is unknown)."""
    number = values["invoiceNo"]
    return int(number) if number and number.isdecimal() else number


def _words(values: Values, books: Books) -> list[Any]:
    """What invoice `q` searches (documented)."""
    keys = ("invoiceNo", "orderNo", "lineDescription", "amount", "grossAmount", "balance")
    return [_contact_name(books, values), *(values[key] for key in keys)]


def _signed_address(values: Values) -> dict[str, Any]:
    """A signed PDF address, different at each read (observed); nothing answers there."""
    address = f"https://pdf.sandbox.example/invoices/{values['id']}"
    return {"downloadUrl": f"{address}?signature={secrets.token_urlsafe(24)}"}


INVOICE = Resource(
    INVOICES,
    "invoice",
    {
        "organizationId": READONLY,
        "type": choice("invoice", "creditNote", default="invoice", immutable=True),
        "createdTime": READONLY,
        "approvedTime": READONLY,
        "contactId": belongs_to("contacts", required=True, immutable=True),
        "attContactPersonId": belongs_to("contactPersons"),
        "entryDate": Property("date", required=True),
        "paymentTermsMode": TERMS,
        "paymentTermsDays": Property("integer"),
        "dueDate": READONLY,
        "state": choice(*_STATES, default="draft"),
        "sentState": choice("unsent", "printed", "sent", "opened", "viewed", default="unsent"),
        "invoiceNo": Property(lenient=True),  # text in payloads (observed), a number in official samples
        "taxMode": choice("incl", "excl"),
        "amount": READONLY,
        "tax": READONLY,
        "grossAmount": READONLY,
        "currencyId": CURRENCY,
        "exchangeRate": NUMBER,
        "balance": READONLY,
        "isPaid": Property("flag", readonly=True, default=False),
        "creditedInvoiceId": belongs_to("invoices", immutable=True),
        "contactMessage": TEXT,
        "lineDescription": READONLY,
        "orderNo": TEXT,
        "externalId": TEXT,
        "quoteId": READONLY,
        "recurringInvoiceId": READONLY,
        "templateId": READONLY,
        "bankAccountId": belongs_to("accounts"),
    },
    children=(Children("lines", LINES, "invoiceId", "lineIds"),),
    filters={
        "organizationId": same("documented", "organizationId"),
        "contactId": same("documented", "contactId", indexed=True),
        "creditedInvoiceId": same("documented", "creditedInvoiceId"),
        "state": one_of("documented", "state", *_STATES),
        "invoiceNo": same("documented", "invoiceNo", indexed=True),
        "externalId": same("documented", "externalId", indexed=True),
        "minEntryDate": limit("documented", "entryDate", least=True),
        "maxEntryDate": limit("documented", "entryDate", least=False),
        "entryDatePeriod": within(
            "documented", "entryDate", "all", "dates", "day", "month", "quarter", "halfYear", "year", "fiscalYear"
        ),
        "minApprovedTime": limit("documented", "approvedTime", least=True),
        "maxApprovedTime": limit("documented", "approvedTime", least=False),
        "approvedTimePeriod": within(
            "documented",
            "approvedTime",
            *("all", "dates", "from", "through", "month", "quarter", "half", "year", "fiscalYear"),
        ),
        "minDueDate": limit("documented", "dueDate", least=True),
        "maxDueDate": limit("documented", "dueDate", least=False),
        "isPaid": flag("documented", "isPaid"),
        "currencyId": same("documented", "currencyId"),
        "recurringInvoiceId": same("documented", "recurringInvoiceId"),
        "amount": amount("documented", "amount"),
        "quoteId": same("documented", "quoteId"),
        "q": search("documented", _words),
    },
    sorts={  # documented
        **dict.fromkeys(("entryDate", "dueDate", "createdTime", "lineDescription", "amount", "grossAmount")),
        **dict.fromkeys(("balance", "approvedTime", "orderNo")),
        "invoiceNo": _number,
        "contact.name": _contact_name,
    },
    label=("invoiceNo", "externalId", "orderNo", "lineDescription"),
    natural_keys=("invoiceNo", "externalId", "orderNo", "lineDescription"),
    indexed=("contactId", "invoiceNo", "externalId"),
    unique=("invoiceNo",),  # documented
    fresh=_signed_address,
    rules=InvoiceRules(),
)

LINE = Resource(
    LINES,
    "invoiceLine",
    {
        "invoiceId": belongs_to("invoices", required=True, immutable=True),
        "productId": belongs_to("products", required=True),
        "description": TEXT,
        "quantity": Property("number", default=1),
        "unitPrice": Property("number", required=True, lenient=True),  # text was accepted on write (observed)
        "amount": READONLY,
        "tax": READONLY,
        "taxRateId": belongs_to("taxRates", readonly=True),
        "discountText": TEXT,
        "discountMode": choice("cash", "percent"),
        "discountValue": NUMBER,
        "priority": Property("integer"),
    },
    filters={"invoiceId": same("observed", "invoiceId", indexed=True)},
    label=("description", "productId"),
    natural_keys=("description",),
    indexed=("invoiceId", "productId"),
    rules=LineRules(),
)

DESCRIPTIONS = (INVOICE, LINE)
