"""What may be done with invoices and their lines, and what follows: creation, approval, changes, deletion.

Where Billy's way is unknown it is a switch, or marked as our choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING

from .invoice_values import Row, approves, due_date, header_of, lines_of, next_number, settled_of, write
from .names import CONTACTS, INVOICES, LINES, RETURNS
from .record import Changed, Record, Values, billy_time, new_id
from .resource import Case, Resource, Rules

if TYPE_CHECKING:
    from .books import Books
    from .switches import Switches

Given = Mapping[str, Sequence[Values]]

_NOT_AFTER_CREATION = ("entryDate", "invoiceNo", "lines")
"""Documented, and contradicted: the switch `draft_edit`."""
_FREE = frozenset({"attContactPersonId", "contactMessage", "externalId", "orderNo", "sentState"})
"""Keys writable after approval (unknown in Billy, our choice)."""
_NO_LINES = {"lines": "sandbox: needs at least one"}


class InvoiceRules(Rules):
    """Of an invoice or credit note."""

    def wrong(self, case: Case) -> dict[str, str]:
        """What the documentation forbids, and what would lead to no total, due date or rate."""
        problems = _wrong_new(case) if case.before is None else _wrong_change(case, case.before)
        header = header_of(case.books, case.before, case.values)
        if (header["exchangeRate"] or 0) <= 0:
            problems["exchangeRate"] = "sandbox: needs a value above 0, and no rate is known"
        try:
            due_date(header)
        except OverflowError:
            problems["paymentTermsDays"] = "sandbox: leads to no date"
        if approves(case.before, header) and case.switches.settled_vat_period == "refused":
            day = header.get("entryDate") or ""
            for period in case.books.records(RETURNS).values():
                if period.values["isSettled"] and period.values["startDate"] <= day <= period.values["endDate"]:
                    problems["entryDate"] = "sandbox: lies in a settled VAT period"
        return problems

    def accepted(
        self, switches: Switches, before: Values | None, values: Values, children: Given
    ) -> tuple[Values, Given]:
        """All but what the switches let pass unheeded."""
        if switches.external_id == "ignored":
            values = {key: value for key, value in values.items() if key != "externalId"}
        if before is not None and switches.draft_edit == "ignored":
            values = {key: value for key, value in values.items() if key not in _NOT_AFTER_CREATION}
            children = {}
        return values, children

    def store(
        self,
        books: Books,
        switches: Switches,
        resource: Resource,
        record_id: str | None,
        values: Values,
        children: Given,
        changed: Changed,
    ) -> str:
        """An invoice is stored with its lines and totals; approval gives it a time and, if it has none, a number."""
        before = None if record_id is None else books.records(INVOICES)[record_id].values
        header = {**header_of(books, before, values), "id": record_id or values.get("id") or new_id()}
        rows = [] if before is None else lines_of(books, header["id"])
        if "lines" in children:
            for row in rows:
                books.take_out(LINES, books.records(LINES)[row["id"]], changed)
            rows = [dict(row) for row in children["lines"]]
        if approves(before, header):
            header["approvedTime"] = header.get("approvedTime") or billy_time()
        if not header["invoiceNo"] and (header["state"] == "approved" or switches.invoice_number == "at-create"):
            header["invoiceNo"] = next_number(books, changed)
        write(books, before, header, rows, changed)
        return str(header["id"])

    def kept(self, books: Books, switches: Switches, record: Record, going: Set[str]) -> str | None:
        """Only drafts can be deleted, say integrators (unverified); that payments keep an invoice is our choice."""
        if record.values["state"] != "draft" and switches.approved_invoice_delete == "refused":
            return "only drafts can be deleted"
        return "the invoice has payments" if settled_of(books, record.values["id"]) else None


class LineRules(Rules):
    """Of one line; a line added through `/invoiceLines` recomputes the invoice (documented)."""

    def wrong(self, case: Case) -> dict[str, str]:
        """Lines are the contents of their invoice (what Billy does with those of an approved one is unknown)."""
        invoice = case.books.records(INVOICES).get(case.after("invoiceId") or "")
        if invoice is not None and _is_locked(case.switches, invoice.values):
            return {"invoiceId": f"sandbox: the invoice is {invoice.values['state']}"}
        return {}

    def store(
        self,
        books: Books,
        switches: Switches,
        resource: Resource,
        record_id: str | None,
        values: Values,
        children: Given,
        changed: Changed,
    ) -> str:
        """The answer brings the invoice back too (documented)."""
        before = {} if record_id is None else books.records(LINES)[record_id].values
        row: Row = {**before, **values, "id": record_id or values.get("id") or new_id()}
        if row["productId"] != before.get("productId"):
            row["taxRateId"] = None
        invoice = books.records(INVOICES)[row["invoiceId"]].values
        rows = [row if each["id"] == row["id"] else each for each in lines_of(books, invoice["id"])]
        write(books, invoice, dict(invoice), rows if before else [*rows, row], changed, asked=row["id"])
        return str(row["id"])

    def kept(self, books: Books, switches: Switches, record: Record, going: Set[str]) -> str | None:
        """An invoice needs a line (documented); refusing to delete the last one is our choice."""
        invoice = books.records(INVOICES)[record.values["invoiceId"]].values
        if _is_locked(switches, invoice):
            return f"the invoice is {invoice['state']}"
        last = all(row["id"] in going for row in lines_of(books, invoice["id"]))
        return "an invoice needs at least one line" if last else None

    def deleted(self, books: Books, switches: Switches, record: Record, changed: Changed) -> None:
        """The invoice is recomputed."""
        invoice = books.records(INVOICES)[record.values["invoiceId"]].values
        write(books, invoice, dict(invoice), lines_of(books, invoice["id"]), changed)


def _wrong_new(case: Case) -> dict[str, str]:
    problems = dict(_NO_LINES) if case.body.get("lines", []) == [] else {}
    if case.values.get("state") == "voided":
        problems["state"] = "sandbox: nothing is voided through the API"
    contact = case.books.records(CONTACTS).get(case.values.get("contactId") or "")
    if contact is not None and case.switches.customer_flag == "required" and not contact.values["isCustomer"]:
        problems["contactId"] = "sandbox: is no customer"
    credited = case.books.records(INVOICES).get(case.values.get("creditedInvoiceId") or "")
    if credited is not None and (case.values.get("type"), credited.values["type"]) != ("creditNote", "invoice"):
        problems["creditedInvoiceId"] = "sandbox: only a credit note names one, and it must be an invoice"
    return problems


def _wrong_change(case: Case, before: Values) -> dict[str, str]:
    problems: dict[str, str] = {}
    if case.switches.draft_edit == "refused":
        problems |= {key: "sandbox: not accepted after creation" for key in _NOT_AFTER_CREATION if key in case.body}
    elif case.switches.draft_edit == "accepted" and case.body.get("lines") == []:
        problems |= _NO_LINES
    states = (before["state"], case.after("state"))
    if states[0] != states[1] and states != ("draft", "approved"):  # documented
        problems["state"] = f"sandbox: {states[0]} cannot become {states[1]}"
    if _is_locked(case.switches, before):
        changed = {key for key, value in case.values.items() if value != before[key]} | case.children.keys()
        changed -= _FREE | {"state"}
        if case.switches.draft_edit == "ignored":
            changed -= set(_NOT_AFTER_CREATION)
        problems |= dict.fromkeys(changed - problems.keys(), f"sandbox: cannot be changed once {states[0]}")
    return problems


def _is_locked(switches: Switches, invoice: Values) -> bool:
    return bool(invoice["state"] != "draft") and switches.approved_invoices == "locked"
