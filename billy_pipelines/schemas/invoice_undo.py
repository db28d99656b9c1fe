"""Taking back what a job did to an invoice. What is booked, sent or numbered stays (rule B19); it is credited (B16)."""

from __future__ import annotations

from typing import Any

from billy_pipelines.schemas.codes import Problem, sentence
from billy_pipelines.schemas.export import number_text
from billy_pipelines.schemas.invoice_meaning import INVOICE, LINES, PERSON, TERMS, WIRE_KEYS
from billy_pipelines.schemas.payment_terms import Terms
from billy_pipelines.schemas.undoing import ChildList, Image, Undoing

CREDITABLE = ("invoice_booked", "invoice_sent", "invoice_numbered")
"""Reasons for which an invoice stays and can only be credited."""
_LINES = ChildList(
    LINES,
    "invoiceLines",
    "invoiceLine",
    "invoiceId",
    ("productId", "description", "quantity", "unitPrice", "discountMode", "discountValue", "discountText", "priority"),
)


def _keeps(now: Image, after: Image, language: str) -> Problem | None:
    """Approved, sent, or given a number since. A number Billy gave at creation is none that somebody uses: it may give
    every draft one at once (documented). Voided counts as edited."""
    number = now.get("invoiceNo")
    ids = f"{number} ({now.get('id')})" if number else str(now.get("id"))
    if now.get("state") == "approved":
        code = "invoice_booked"
    elif now.get("state") != "draft":
        return None
    elif now.get("sentState") not in (None, "", "unsent"):
        code = "invoice_sent"
    elif number and number != after.get("invoiceNo"):
        code = "invoice_numbered"
    else:
        return None
    return Problem(code, message=sentence(code, language, ids=ids))


def _lines_of(image: Image) -> list[Image]:
    lines = list(image.get(LINES) or [])
    return sorted(lines, key=lambda line: (line.get("priority") is None, line.get("priority") or 0))


def _line(line: Image) -> dict[str, str]:
    """A line as rows say it."""
    texts = {
        "productId": line.get("productId"),
        "description": line.get("description"),
        "quantity": number_text(line.get("quantity")),
        "unitPrice": number_text(line.get("unitPrice")),
    }
    discount = number_text(line.get("discountValue")) if line.get("discountValue") else None
    if discount:
        texts["discountPercent" if line.get("discountMode") == "percent" else "discountAmount"] = discount
    return {key: str(value) for key, value in texts.items() if value not in (None, "")}


def _row(image: Image) -> dict[str, Any]:
    """The row that a deleted draft was."""
    row: dict[str, Any] = {
        field: image[key] for field, key in WIRE_KEYS.items() if field != PERSON and image.get(key) not in (None, "")
    }
    if image.get(PERSON):
        row[PERSON] = image[PERSON]
    row["entryDate"] = str(image.get("entryDate") or "")[:10]
    if row.get("exchangeRate") == 1:
        del row["exchangeRate"]
    elif "exchangeRate" in row:
        row["exchangeRate"] = number_text(row["exchangeRate"])
    if image.get("paymentTermsMode") in ("net", "netEndOfMonth"):
        row[TERMS] = Terms(image["paymentTermsMode"], image.get("paymentTermsDays") or 0).text
    row[LINES] = [_line(line) for line in _lines_of(image)]
    return row


def _more_body(image: Image) -> dict[str, Any]:
    rate = image.get("exchangeRate")
    again = {key: image[key] for key in ("type", "creditedInvoiceId", "externalId") if image.get(key)}
    return {"state": "draft", **again, **({"exchangeRate": rate} if rate not in (None, 1) else {})}


def _credit_note(image: Image, day: str) -> list[dict[str, str]]:
    """A credit note of the whole invoice: the same lines, amounts above 0, of type creditNote (rule B16)."""
    number = image.get("invoiceNo")
    if not number or image.get("type") not in (None, INVOICE) or not image.get(LINES):
        return []
    rate = image.get("exchangeRate")
    header = {
        "invoice": f"credit {number}",
        "type": "creditNote",
        "creditedInvoiceNo": str(number),
        "contactId": str(image.get("contactId") or ""),
        "entryDate": day,
        "currency": str(image.get("currencyId") or ""),
        "exchangeRate": (number_text(rate) or "") if rate not in (None, 1) else "",
        "taxMode": str(image.get("taxMode") or "excl"),
        "orderNo": str(image.get("orderNo") or ""),
    }
    return [header | _line(line) for line in _lines_of(image)]


INVOICES_UNDO = Undoing(
    more_keys=("externalId", "bankAccountId"),
    computed=frozenset({"state", "sentState", "amount", "grossAmount", "lineDescription"}),
    children=(_LINES,),
    names={key: field for field, key in WIRE_KEYS.items()} | {"paymentTermsMode": TERMS, "paymentTermsDays": TERMS},
    row=_row,
    more_body=_more_body,
    keeps=_keeps,
    credit_note=_credit_note,
)
