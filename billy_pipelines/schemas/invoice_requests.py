"""The requests behind an invoice: reading all or one with its lines, reading a create's answer, changing a draft."""

from __future__ import annotations

from typing import Any

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.errors import UnexpectedAnswer
from billy_pipelines.billy.invoice_models import Invoice, InvoiceLine
from billy_pipelines.schemas.invoice_meaning import update_keys
from billy_pipelines.schemas.resource import Change

INCLUDE_LINES = "invoice.lines:embed"
SORTED: dict[str, str | int] = {"sortProperty": "createdTime"}
"""Paging without a sort repeats and loses rows; sorting invoices by this cured it (observed)."""


def created_invoice(answer: dict[str, Any]) -> Invoice:
    """The new invoice, with its lines, out of the plural arrays of a write's answer (documented).

    The answer holds every record the write changed: beside a new credit note perhaps the invoice it credits. The new
    one is that which the answer's lines belong to.
    """
    invoices = [raw for raw in answer["invoices"] if isinstance(raw, dict)]
    lines = _lines(answer.get("invoiceLines"))
    owners = {line.invoiceId for line in lines}
    raw = next((each for each in invoices if each.get("id") in owners), invoices[0])
    invoice = Invoice.model_validate(raw)
    own = [line for line in lines if line.invoiceId in (invoice.id, None)]
    return invoice.with_lines(own) if own and invoice.lines is None else invoice


def _lines(raw: Any) -> list[InvoiceLine]:
    return [InvoiceLine.model_validate(each) for each in raw if isinstance(each, dict)] if isinstance(raw, list) else []


async def read_all_invoices(client: BillyClient) -> list[Invoice]:
    """Every invoice and credit note, with lines where `include` brings them."""
    records, roots = await client.list("invoices", {**SORTED, "include": INCLUDE_LINES})
    side_loaded: dict[str | None, dict[str, InvoiceLine]] = {}
    for root in roots:
        for line in _lines(root.get("invoiceLines")):
            side_loaded.setdefault(line.invoiceId, {})[line.id] = line
    invoices = [Invoice.model_validate(raw) for raw in records.values()]
    return [
        invoice.with_lines(side_loaded[invoice.id].values())
        if invoice.lines is None and invoice.id in side_loaded
        else invoice
        for invoice in invoices
    ]


async def read_one_invoice(client: BillyClient, record_id: str) -> Invoice:
    """One invoice with all its lines; they are asked for by themselves when `include` did not bring them.

    Raises:
        NotFound, TokenRefused, Unavailable, UnexpectedAnswer
    """
    answer = await client.get("invoices", record_id, singular="invoice", query={"include": INCLUDE_LINES})
    invoice = Invoice.model_validate(answer["invoice"])
    if invoice.id != record_id:
        raise UnexpectedAnswer(f"Billy was asked for invoice {record_id} and answered with {invoice.id}.")
    if invoice.lines is not None:
        return invoice
    lines = [line for line in _lines(answer.get("invoiceLines")) if line.invoiceId == record_id]
    if not lines:
        records, _ = await client.list("invoiceLines", {"invoiceId": record_id})
        lines = [line for line in _lines(list(records.values())) if line.invoiceId == record_id]
    return invoice.with_lines(lines)


async def write_invoice_update(client: BillyClient, record: Invoice, changes: list[Change], permitted: bool) -> Invoice:
    """Carry out changes of a draft in one PUT. Returns the record as the answer leaves it."""
    keys = update_keys({change.field: change.new for change in changes}, record)
    if not keys:
        return record
    answer = await client.update("invoices", "invoice", record.id, keys, permitted=permitted)
    after = {**record.image(), **keys}
    for raw in answer.get("invoices") or []:
        if isinstance(raw, dict) and raw.get("id") == record.id:  # that it is the complete record is unverified
            after |= {key: value for key, value in raw.items() if key != "lines"}
    return Invoice.model_validate(after)
