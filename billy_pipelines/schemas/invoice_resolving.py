"""A row's invoice against the books: ids of what it refers to, and everything that keeps it from being made (B11-B16).

All that is missing is named at once. Resolving a resolved row again changes nothing: a job that goes on does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from billy_pipelines.billy.invoice_models import Invoice
from billy_pipelines.billy.models import Contact
from billy_pipelines.schemas.cleaning import comparable
from billy_pipelines.schemas.codes import Problem, sentence
from billy_pipelines.schemas.invoice_amounts import line_amounts, totals_of
from billy_pipelines.schemas.invoice_approval import asks_approval, held_back
from billy_pipelines.schemas.invoice_lookups import CERTAIN, CONTACT_FIELDS, Found
from billy_pipelines.schemas.invoice_meaning import (
    ATTENTION,
    CHANGEABLE,
    INVOICE,
    LINES,
    PERSON,
    PRESET_TERMS,
    TERMS,
    differences,
    number,
)
from billy_pipelines.schemas.invoice_missing import contact_to_make, product_to_make
from billy_pipelines.schemas.invoice_references import CONTACTS, PRODUCTS, InvoiceReferences, preset_terms
from billy_pipelines.schemas.invoice_rules import PRODUCT
from billy_pipelines.schemas.invoice_totals import CENT, CREDIT_NOTE
from billy_pipelines.schemas.resource import Missing, PlanTerms, Resolved, Row

FARTHEST = timedelta(days=31)
"""How far ahead an invoice may be dated (rule B12)."""
RATE_TOLERANCE = Decimal("0.2")
"""How far an exchange rate may be off Billy's (rule B15): Danes quote per 100."""

IMPORT = "import"


def resolve(row: Row, references: InvoiceReferences, terms: PlanTerms) -> Resolved:
    """The row with contact, products, credited invoice and contact person as Billy's ids; a new invoice states its
    type, currency, quantities and prices besides. Errors reject it."""
    if terms.operation == "delete":
        return Resolved(dict(row))
    one = _Resolving(row, references, terms)
    return Resolved(one.row, tuple(one.problems()), missing=tuple(one.missing))


class _Resolving:
    """One row on its way."""

    def __init__(self, row: Row, references: InvoiceReferences, terms: PlanTerms) -> None:
        self.row: dict[str, Any] = {**row, LINES: [dict(line) for line in row.get(LINES) or []]}
        self._books = references
        self._terms = terms
        self._new = terms.operation == IMPORT
        self.missing: list[Missing] = []
        """What can be made on the way, known when the problems are."""

    def problems(self) -> list[Problem]:
        """Resolve everything, and say what is wrong; the number last, since only a row that is fine takes one."""
        row = self.row
        found: list[Problem] = []
        if self._new:
            row["type"] = row.get("type") or INVOICE
            row["currency"] = row.get("currency") or self._books.base_currency
        contact = self._contact(found)
        if self._new:
            found += [*self._dates(), *self._exchange_rate(), *self._credited()]
            if asks_approval(row) and not self._terms.approve:
                found.append(self._problem("approve_ignored", "approve", warning=True))
            if contact and not row.get(TERMS):
                row[PRESET_TERMS] = self._preset(contact)
        if row.get(ATTENTION):
            found += self._attention(contact)
        for line in row[LINES]:
            found += self._line(line)
        if self._new and row.get("invoiceNo"):
            found += self._number(any(not problem.warning for problem in found))
        return found

    def _problem(self, code: str, field: str, text: str = "", *, warning: bool = False, **details: Any) -> Problem:
        """`text`: the sentence's own code, where one code has several."""
        value = str(self.row.get(field) or "")
        message = sentence(text or code, self._terms.language, **{"value": value, **details})
        return Problem(code, field, value, message, warning=warning)

    # -- the contact -----------------------------------------------------------------------------------------------

    def _contact(self, found: list[Problem]) -> Contact | None:
        row = self.row
        certain = any(row.get(field) for field in CERTAIN)
        if not certain and not (self._new and any(row.get(field) for field in CONTACT_FIELDS)):
            return None  # an update is matched by keys of the invoice; a name beside them proves nothing
        answer = self._books.contacts.find(row, by_name=self._terms.contact_by_name)
        if answer.record is not None:
            row["contactId"] = answer.record.id
            if answer.record.isCustomer is False and self._new:
                found.append(self._problem("contact_no_customer", "contactId", warning=True, ids=answer.record.id))
            return answer.record
        unknown = answer.code == "contact_unknown"
        only_name = unknown and answer.field == "contactName"
        text = "contact_by_name_only" if only_name and not self._terms.contact_by_name else ""
        made: dict[str, Any] | None = None
        if unknown and self._new and self._terms.create_missing:
            made = contact_to_make(row, by_name=self._terms.contact_by_name)
            text = "contact_without_name" if made and not made["name"] else text
        key, ids, nearest = answer.field, answer.ids, answer.nearest
        problem = self._problem(answer.code, answer.field, text, key=key, ids=ids, nearest=nearest)
        if made:
            self.missing.append(Missing(CONTACTS, made, problem, nearest=nearest))
        else:
            found.append(problem)
        return None

    def _preset(self, contact: Contact) -> str | None:
        return preset_terms(contact.paymentTermsMode, contact.paymentTermsDays) or self._books.company_terms

    def _attention(self, contact: Contact | None) -> Iterator[Problem]:
        """The person of that name among the contact's; one who is not there is left out and named."""
        if contact is None and not self._new:
            present = self._books.invoices.meant_by(self.row)
            contact = self._books.contacts.by_id.get(present.contactId or "") if present else None
        wanted = comparable(self.row[ATTENTION])
        persons = (contact.contactPersons or []) if contact else []
        # A contact that is still to be made has persons without ids of their own.
        known = (each for each in persons if contact and each.id != contact.id)
        person = next((each for each in known if comparable(each.name) == wanted), None)
        if person is not None:
            self.row[PERSON] = person.id
        elif not self._new:
            yield self._problem("person_unknown", ATTENTION)
        elif contact is not None or self.missing:
            yield self._problem("attention_unknown", ATTENTION, warning=True)

    # -- lines -----------------------------------------------------------------------------------------------------

    def _line(self, line: dict[str, Any]) -> Iterator[Problem]:
        if any(line.get(field) for field in PRODUCT):
            answer = self._books.products.find(line)
            if answer.record is None:
                yield from self._product_missing(line, answer)
                return
            line["productId"] = answer.record.id
        elif self._new:
            yield self._on_line(line, "product_missing", "productNo")
        if not self._new:
            return
        line["quantity"] = line.get("quantity") or "1"
        if not line.get("discountPercent") and not line.get("discountAmount"):
            line["discountPercent"] = "0"  # said aloud, so that a record with a discount is another one
        if not line.get("unitPrice") and line.get("productId"):
            yield from self._price(line)

    def _price(self, line: dict[str, Any]) -> Iterator[Problem]:
        """The product's own price, which is without VAT: no price for an invoice whose prices include it (B14)."""
        if self.row.get("taxMode") == "incl":
            yield self._on_line(line, "price_missing", "unitPrice", "price_missing_incl")
            return
        price = self._books.products.price(line["productId"], self.row["currency"])
        if price is None:
            value = line.get("productNo") or line.get("productName") or line["productId"]
            yield self._on_line(line, "price_missing", "unitPrice", value=value, currency=self.row["currency"])
        else:
            line["unitPrice"] = f"{price.normalize():f}"

    def _product_missing(self, line: Row, answer: Found[Any]) -> Iterator[Problem]:
        """A problem, unless the product can be made of what the line says."""
        made: dict[str, Any] | None = None
        if answer.code == "product_unknown" and self._new and self._terms.create_missing:
            made = product_to_make(line, self.row)
        details = {"key": answer.field, "value": answer.value, "ids": answer.ids, "nearest": answer.nearest}
        text = "product_without_name" if made and not made["name"] else ""
        problem = self._on_line(line, answer.code, answer.field, text, **details)
        if not made:
            yield problem
        elif not line.get("unitPrice"):
            # Nobody says what it costs, so the line has no price even when there is such a product.
            yield self._on_line(line, "price_missing", "unitPrice", value=answer.value, currency=self.row["currency"])
        else:
            at = int(line.get("line") or 0)
            self.missing.append(Missing(PRODUCTS, made, problem, line=at, nearest=answer.nearest))

    def _on_line(self, line: Row, code: str, field: str, text: str = "", **details: Any) -> Problem:
        message = sentence(text or code, self._terms.language, **{"value": "", "line": line.get("line", ""), **details})
        return Problem(code, field, str(line.get(field) or ""), message)

    # -- dates, currency, credited invoice -------------------------------------------------------------------------

    def _dates(self) -> Iterator[Problem]:
        entry = self.row.get("entryDate") or ""
        locked = self._terms.organization.locked_until
        if locked and entry and entry <= locked.isoformat():
            yield self._problem("date_locked", "entryDate", until=locked.isoformat())
        begin = self._terms.organization.books_start
        if begin and entry and entry < begin.isoformat() and self._terms.approve and not held_back(self.row):
            yield self._problem("date_before_books", "entryDate", start=begin.isoformat())
        for start, end in self._books.settled_periods:
            if start <= entry <= end:
                yield self._problem("date_settled", "entryDate", start=start, end=end)
        farthest = self._terms.today + FARTHEST
        if entry and date.fromisoformat(entry) > farthest:
            yield self._problem("date_far_ahead", "entryDate", until=farthest.isoformat())

    def _exchange_rate(self) -> Iterator[Problem]:
        """Rule B15. The base currency's rate is always 1 (documented), so none is sent for it."""
        row, books = self.row, self._books
        currency = row["currency"]
        if currency == books.base_currency:
            row.pop("exchangeRate", None)
            return
        if books.exchange_rates and currency not in books.exchange_rates:
            yield self._problem("currency_not_in_billy", "currency")
        given, usual = number(row.get("exchangeRate")), books.exchange_rates.get(currency)
        if given is None:
            if row.get("entryDate") != self._terms.today.isoformat():
                yield self._problem("rate_missing", "exchangeRate", currency=currency, date=row.get("entryDate"))
        elif usual and abs(given - usual) > usual * RATE_TOLERANCE:
            yield self._problem("rate_unlikely", "exchangeRate", currency=currency, usual=f"{usual.normalize():f}")

    def _credited(self) -> Iterator[Problem]:
        """Rule B16: the credited invoice by its number."""
        row = self.row
        wanted = row.get("creditedInvoiceNo")
        if row["type"] != CREDIT_NOTE or not wanted:
            return
        fitting = [each for each in self._books.invoices.numbered(wanted) if each.type != CREDIT_NOTE]
        if len(fitting) != 1:
            yield self._problem("credited_unknown", "creditedInvoiceNo")
        elif row.get("contactId") and fitting[0].contactId not in (None, row["contactId"]):
            yield self._problem("credited_other_contact", "creditedInvoiceNo", ids=fitting[0].contactId)
        else:
            row["creditedInvoiceId"] = fitting[0].id

    # -- the number ------------------------------------------------------------------------------------------------

    def _number(self, wrong: bool) -> Iterator[Problem]:
        """Rule B11. A record that holds just what the row says is no other invoice: it is this one, imported before."""
        row, series = self.row, self._books.series
        holders = self._books.invoices.numbered(row["invoiceNo"])
        if holders:
            if not wrong and any(holder.id != row.get("id") and not self._is_this(holder) for holder in holders):
                yield self._problem("number_taken", "invoiceNo", ids=", ".join(each.id for each in holders))
            return
        if row.get("id"):
            return  # the invoice is there; what its number is does not change
        if not self._terms.own_numbers and not series.fits(row["invoiceNo"]):
            yield self._problem("number_gap", "invoiceNo", expected=series.expected)
        elif not wrong:
            series.take(row["invoiceNo"])

    def _is_this(self, record: Invoice) -> bool:
        """Whether a record is what the row says, as far as that never changes: lines, or their sum if it has none."""
        row = self.row
        apart = CHANGEABLE if record.lines is not None else CHANGEABLE | {LINES}
        if any(change.field not in apart for change in differences(row, record)):
            return False
        made = totals_of(record)
        present = made.gross if row.get("taxMode") == "incl" else made.net
        totals = (sum(line_amounts(row, as_written=each), Decimal(0)) for each in (False, True))
        return present is None or any(abs(present - total) <= CENT for total in totals)
