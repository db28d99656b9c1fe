"""An invoice's values: what it takes from its contact and company, terms, VAT, totals, number, balance."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from . import totals
from .names import CONTACTS, INVOICES, LINES, MODIFIERS, ORGANIZATIONS, PRODUCTS, RULES, RULESETS, TAX_RATES
from .record import Changed, Record, Values
from .reference import EU, EU_COUNTRIES, EXCHANGE_RATES

if TYPE_CHECKING:
    from .books import Books

Row = dict[str, Any]

_DESCRIPTION_LENGTH = 75  # observed


def settled_of(books: Books, invoice_id: str) -> list[Record]:
    """The payments on an invoice that stand."""
    modifiers = books.where(MODIFIERS, "subjectReference", f"invoice:{invoice_id}")
    return [each for each in modifiers if not each.values["isVoided"]]


def balance_of(books: Books, invoice: Values) -> dict[str, Any]:
    """`balance` and `isPaid`: the gross total less what was paid."""
    paid = sum((totals.exact(each.values["amount"]) for each in settled_of(books, invoice["id"])), totals.exact(0))
    balance = totals.exact(invoice["grossAmount"]) - paid
    return {"balance": totals.wire(balance), "isPaid": invoice["state"] == "approved" and balance == 0}


def rate_for(books: Books, product: Values, contact: Values) -> str | None:
    """The id of the tax rate: the product's ruleset, its first rule that fits the contact, else its fallback.

    The structure is documented; that the lowest `priority` wins is a guess (unverified). `isSalesTaxExempt` and states
    change nothing here (our choice).
    """
    ruleset_id = product["salesTaxRulesetId"] or books.organization.values["defaultSalesTaxRulesetId"]
    ruleset = books.records(RULESETS).get(ruleset_id or "")
    if ruleset is None:
        return None
    country = contact.get("countryId")
    for rule in sorted(
        (each.values for each in books.where(RULES, "rulesetId", ruleset_id)), key=lambda each: each["priority"] or 0
    ):
        fits = rule["countryId"] in (None, country) and rule["contactType"] in (None, contact.get("type"))
        if fits and (rule["countryGroupId"] is None or (rule["countryGroupId"] == EU and country in EU_COUNTRIES)):
            return str(rule["taxRateId"])
    fallback = ruleset.values["fallbackTaxRateId"]
    return None if fallback is None else str(fallback)


def header_of(books: Books, before: Values | None, values: Values) -> Row:
    """An invoice's own values once saved, with what a new one takes from its contact and the company.

    No currency means the base currency (unverified), whose rate is always 1 (documented); no tax mode the company's
    (documented); no terms those of the contact, then the company's (our choice).
    """
    company = books.organization.values
    after: Row = {**(before or {"state": "draft", "invoiceNo": None}), **values}
    if before is None:
        contact = books.records(CONTACTS).get(values.get("contactId") or "")
        if "paymentTermsMode" not in values and "paymentTermsDays" not in values:
            terms = contact.values if contact is not None and contact.values["paymentTermsMode"] else company
            after |= {key: terms[key] for key in ("paymentTermsMode", "paymentTermsDays")}
        after["state"] = after["state"] or "draft"
    base = company["baseCurrencyId"]
    after["currencyId"] = after.get("currencyId") or base
    after["taxMode"] = after.get("taxMode") or company["defaultTaxMode"] or "excl"
    if after["currencyId"] == base:
        after["exchangeRate"] = 1
    elif not values.get("exchangeRate") and (before is None or before["currencyId"] != after["currencyId"]):
        known = EXCHANGE_RATES.get(after["currencyId"]), EXCHANGE_RATES.get(base)
        after["exchangeRate"] = round(known[0] / known[1], 6) if known[0] and known[1] else None
    return after


def approves(before: Values | None, after: Values) -> bool:
    return after["state"] == "approved" and (before is None or before["state"] != "approved")


def due_date(invoice: Values) -> str | None:
    """From entry date and terms (unverified), null without a mode (observed).

    `netEndOfMonth` counts from the end of the month, `date` like `net` (our choice).
    """
    if invoice.get("paymentTermsMode") is None or not invoice.get("entryDate"):
        return None
    start = date.fromisoformat(invoice["entryDate"])
    if invoice["paymentTermsMode"] == "netEndOfMonth":
        start = start.replace(day=calendar.monthrange(start.year, start.month)[1])
    return (start + timedelta(days=invoice.get("paymentTermsDays") or 0)).isoformat()


def next_number(books: Books, changed: Changed) -> str:
    """The company's next number, passing over those in use; the counter comes back changed (observed).

    That a number given by hand does not move the counter, and credit notes count along, is our choice.
    """
    number = int(books.organization.values["nextInvoiceNo"] or 1)
    while books.has(INVOICES, "invoiceNo", str(number)):
        number += 1
    books.put(ORGANIZATIONS, books.organization_id, {"nextInvoiceNo": number + 1}, changed)
    return str(number)


def lines_of(books: Books, invoice_id: str) -> list[Row]:
    rows = [dict(record.values) for record in books.where(LINES, "invoiceId", invoice_id)]
    return sorted(rows, key=lambda row: row["priority"])


def write(
    books: Books, before: Values | None, header: Row, rows: Sequence[Row], changed: Changed, *, asked: str | None = None
) -> None:
    """Store an invoice with its totals, and those lines that are new, came out different, or were `asked` for."""
    contact = books.records(CONTACTS).get(header["contactId"])
    for position, row in enumerate(rows):
        _price(books, header["taxMode"], {} if contact is None else contact.values, row)
        if row.get("priority") is None:
            row["priority"] = position  # array order if absent (unverified)
    sums = totals.totals(((totals.exact(row["amount"]), _rate(books, row)) for row in rows), header["taxMode"])
    header |= {
        "amount": totals.wire(sums.net),
        "tax": totals.wire(sums.tax),
        "grossAmount": totals.wire(sums.gross),
        "dueDate": due_date(header),
        "lineDescription": _description(books, rows),
    }
    header |= balance_of(books, header)
    books.put(INVOICES, None if before is None else header["id"], header, changed)
    lines = books.records(LINES)
    for row in rows:
        stored = lines.get(row.get("id") or "")
        if stored is None:
            books.put(LINES, None, {**row, "invoiceId": header["id"]}, changed)
        elif stored.values != row or row["id"] == asked:
            books.put(LINES, row["id"], row, changed)


def _price(books: Books, tax_mode: str, contact: Values, row: Row) -> None:
    """Fill in a line's rate, amount and tax. Amount after discount, tax rounded: our choice, Billy's is unknown."""
    product = books.records(PRODUCTS).get(row["productId"])
    if not row.get("taxRateId"):
        row["taxRateId"] = None if product is None else rate_for(books, product.values, contact)
    if row.get("quantity") is None:
        row["quantity"] = 1
    amount = totals.line_amount(row["quantity"], row["unitPrice"], row.get("discountMode"), row.get("discountValue"))
    row["amount"] = totals.wire(amount)
    row["tax"] = totals.wire(totals.rounded(totals.line_tax(amount, _rate(books, row), tax_mode)))


def _rate(books: Books, row: Values) -> totals.Number:
    found = books.records(TAX_RATES).get(row["taxRateId"] or "")
    return 0 if found is None else (found.values["rate"] or 0)


def _description(books: Books, rows: Iterable[Values]) -> str:
    """Generated from the lines, cut at 75 characters plus `...` (observed); how they are joined is our choice."""
    products = books.records(PRODUCTS)
    parts = []
    for row in rows:
        product = products.get(row["productId"])
        parts.append(": ".join(filter(None, (product.values["name"] if product else None, row.get("description")))))
    text = ", ".join(parts)
    return text if len(text) <= _DESCRIPTION_LENGTH else f"{text[:_DESCRIPTION_LENGTH]}..."
